// SPDX-License-Identifier: MIT
// Points in time as the store's documents have them.
#pragma once
#include <string>

namespace oblea::tools {

// "2026-11-21T04:32:42Z"
std::string rfc3339_now();
// "2026-11-21T04:32:42.123456789Z", by which what was made in one second is told apart.
std::string rfc3339_now_exact();

}  // namespace oblea::tools
