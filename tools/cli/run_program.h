// SPDX-License-Identifier: MIT
// The whole program behind main(): which command, with what, and the exit status.
#pragma once
#include "tools/cli/command_line.h"
#include "tools/cli/context.h"

#include <string>
#include <vector>

namespace oblea::tools {

// All commands there are. Each call makes variables of its own for their options.
[[nodiscard]] CommandTable command_table();

// `words` are those of the command line; the first is the name that the program was called by
// (mount.oblea and mount.fuse.oblea take mount(8)'s words). Returns the exit status.
int run_program(std::vector<std::string> words, Streams streams);

}  // namespace oblea::tools
