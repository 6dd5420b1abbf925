// SPDX-License-Identifier: MIT
#pragma once

namespace oblea::tools {

// Descriptors that a new process gets as its own; -1: /dev/null.
struct StandardStreams {
    int in = -1;
    int out = -1;
    int err = -1;
};

}  // namespace oblea::tools
