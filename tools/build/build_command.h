// SPDX-License-Identifier: MIT
// `oblea build`.
#pragma once
#include "tools/cli/command.h"

namespace oblea::tools {

Command build_command();

}  // namespace oblea::tools
