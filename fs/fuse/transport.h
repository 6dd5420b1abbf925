// SPDX-License-Identifier: MIT
// How requests come to the server and answers go back. Pure.
#pragma once
#include "fs/fuse/server.h"

#include <string>
#include <string_view>

namespace oblea::fs {

enum class TransportMode {
    device,    // read(2) and write(2) on /dev/fuse
    io_uring,  // rings, one for each processor
};

// What the decision is made of.
struct TransportFacts {
    enum class Offered { no, yes } offered = Offered::no;  // by the kernel, at INIT
    std::string no_rings;  // why this process cannot have any; empty: it can
    // Whether programs can be kept on their processors (light_workers.h); else rings are slower
    // than the device on a machine that is not busy.
    enum class Light { no, yes } light = Light::yes;
};

struct TransportChoice {
    TransportMode way = TransportMode::device;
    std::string reason;  // for people
};

// Errors: EOPNOTSUPP when what is asked for cannot be had, with the reason.
Result<TransportChoice> decide_transport(MountOptions::Transport wanted,
                                         TransportFacts const& facts);

[[nodiscard]] std::string_view name_of(TransportMode way);

}  // namespace oblea::fs
