// SPDX-License-Identifier: MIT
#include "fs/fuse/data_mode.h"

namespace oblea::fs {
namespace {

constexpr char const* kAsked = "asked for";

DataChoice decide_automatically(DataFacts const& facts) {
    if (facts.writable == DataFacts::Writable::no) {
        return {.mode = DataMode::no_open,
                .reason = "nothing can change, so files are opened without asking the server"};
    }
    if (facts.no_passthrough.empty()) {
        return {.mode = DataMode::passthrough,
                .reason = "the kernel reads and writes files of the upper layer by itself"};
    }
    return {.mode = DataMode::no_open, .reason = "no passthrough: " + facts.no_passthrough};
}

}  // namespace

Result<DataChoice> decide_data(MountOptions::Data wanted, DataFacts const& facts) {
    switch (wanted) {
    case MountOptions::Data::automatic:
        return decide_automatically(facts);
    case MountOptions::Data::no_open:
        return DataChoice{.mode = DataMode::no_open, .reason = kAsked};
    case MountOptions::Data::cached:
        return DataChoice{.mode = DataMode::cached, .reason = kAsked};
    case MountOptions::Data::passthrough:
        break;
    }
    if (!facts.no_passthrough.empty()) {
        return fail(Errno::eopnotsupp, "", "passthrough is not possible: " + facts.no_passthrough);
    }
    return DataChoice{.mode = DataMode::passthrough, .reason = kAsked};
}

std::string_view name_of(DataMode mode) {
    switch (mode) {
    case DataMode::no_open:
        return "no-open";
    case DataMode::passthrough:
        return "passthrough";
    case DataMode::cached:
        break;
    }
    return "cached";
}

std::optional<DataMode> mode_of(std::string_view name) {
    for (DataMode const mode : {DataMode::no_open, DataMode::cached, DataMode::passthrough}) {
        if (name == name_of(mode)) {
            return mode;
        }
    }
    return std::nullopt;
}

}  // namespace oblea::fs
