// SPDX-License-Identifier: MIT
// What tells this run of the machine from those before it.
#pragma once
#include <string>

namespace oblea::base {

// 36 characters; empty where /proc does not tell, which nobody may take for an id.
[[nodiscard]] std::string boot_id();

}  // namespace oblea::base
