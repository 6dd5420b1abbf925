// SPDX-License-Identifier: MIT
// The commands, each described and run in the file of its name.
#pragma once
#include "tools/cli/command.h"

namespace oblea::tools {

Command help_command();
Command info_command();
Command version_command();

}  // namespace oblea::tools
