// SPDX-License-Identifier: MIT
// A first process for containers that wait for nobody: it reaps what others leave, and hands
// signals on.
//
// It is one of the machine's small static programs for that, shown inside, as docker and podman do.
#pragma once
#include "store/base/error.h"

#include <string>
#include <vector>

namespace oblea::tools {

// Where it is seen inside: in the memory that /dev is, so that nothing of it is in the tree.
inline constexpr char const* kInitInside = "/dev/init";

// Its path on the machine. Errors: ENOENT naming the package.
Result<std::string> find_init();

// The arguments with it in front.
std::vector<std::string> below_init(std::vector<std::string> arguments);

}  // namespace oblea::tools
