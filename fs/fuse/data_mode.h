// SPDX-License-Identifier: MIT
// How the bytes of files get from here to the programs that read them. Pure.
#pragma once
#include "fs/fuse/server.h"

#include <optional>
#include <string>
#include <string_view>

namespace oblea::fs {

enum class DataMode {
    no_open,      // the kernel opens files without asking; pages stay in its cache
    cached,       // it asks at each open; pages stay in its cache
    passthrough,  // it reads and writes complete files of the upper by itself, others as cached
};

// What the decision is made of.
struct DataFacts {
    enum class Writable { no, yes } writable = Writable::no;
    // Why passthrough is impossible; empty: it is possible.
    std::string no_passthrough;
};

struct DataChoice {
    DataMode mode = DataMode::cached;
    std::string reason;  // for people
};

// Errors: EOPNOTSUPP when what is asked for cannot be had, with the reason.
Result<DataChoice> decide_data(MountOptions::Data wanted, DataFacts const& facts);

[[nodiscard]] std::string_view name_of(DataMode mode);
[[nodiscard]] std::optional<DataMode> mode_of(std::string_view name);

}  // namespace oblea::fs
