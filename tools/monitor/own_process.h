// SPDX-License-Identifier: MIT
// The last steps of a process that becomes a container's command, without an OCI runtime.
#pragma once
#include "store/base/error.h"
#include "tools/container/read_bundle.h"

namespace oblea::tools {

// Gives up what the command must not have: capabilities, ids, groups. Enters its working folder.
Status become_command(BundleProcess const& process);

// Executes it; every descriptor above 2 closes. Returns only why that failed: ENOENT when it is not
// found.
Error execute_command(BundleProcess process);

// What docker's `run` and `exec` end with when a command cannot be executed.
int exit_status_of(Error const& not_executed);

}  // namespace oblea::tools
