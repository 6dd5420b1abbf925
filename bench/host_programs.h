// SPDX-License-Identifier: MIT
// Programs of this machine, put into a tree so that they run in a chroot there: what an image with
// them would have, without an image.
#pragma once
#include "store/base/error.h"

#include <string>
#include <vector>

namespace oblea::bench {

// The program's path; empty when PATH has none of that name.
[[nodiscard]] std::string find_program(std::string const& name);

// Absolute paths of what a program needs to run, itself among them. Errors: EIO with what a tool
// said.
Result<std::vector<std::string>> files_of_python(std::string const& imports);
Result<std::vector<std::string>> files_of_c_compiler();  // gcc, for programs that include stdio.h

// Copies these files below `root`, each to its own path; links are followed.
Status copy_below(std::string const& root, std::vector<std::string> const& paths);

}  // namespace oblea::bench
