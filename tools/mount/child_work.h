// SPDX-License-Identifier: MIT
// Work that is done by a child process: it may start threads, which a process that still forks may
// not.
#pragma once
#include "store/base/error.h"

#include <functional>
#include <string>

namespace oblea::tools {

// Forks, and returns what `work` gives in the child. That has all descriptors of this process, and
// ends with it.
Result<std::string> run_in_child(std::function<Result<std::string>()> const& work);

}  // namespace oblea::tools
