// SPDX-License-Identifier: MIT
// Ending what a command has left running.
#pragma once
#include <sys/types.h>

namespace oblea::tools {

// Ends all children of this process but `spared`, and what becomes its child by that (it must be a
// subreaper): SIGTERM first, SIGKILL after a moment.
void end_leftovers(pid_t spared);

}  // namespace oblea::tools
