// SPDX-License-Identifier: MIT
#pragma once
#include <cstddef>

namespace oblea::tools {

// What is taken from a stream at a time: as much as a pipe holds.
inline constexpr std::size_t kStreamBytes = 64U << 10U;

// Descriptors that a new process gets as its own; -1: /dev/null.
struct StandardStreams {
    int in = -1;
    int out = -1;
    int err = -1;
};

}  // namespace oblea::tools
