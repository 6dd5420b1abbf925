// SPDX-License-Identifier: MIT
// Asking before something is removed.
#pragma once
#include "tools/cli/context.h"

#include <string_view>

namespace oblea::tools {

// Prints the warning and "Are you sure you want to continue? [y/N] ", as docker does, and reads the
// answer. Only y and Y are yes; the end of the input is no.
[[nodiscard]] bool confirm(Context const& context, std::string_view warning);

}  // namespace oblea::tools
