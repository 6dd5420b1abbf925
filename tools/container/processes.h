// SPDX-License-Identifier: MIT
// The processes of a container, by their numbers outside.
#pragma once
#include "store/base/error.h"

#include <sys/types.h>

#include <vector>

namespace oblea::tools {

// All of the PID namespace whose first process is `init`; of namespaces inside it none. They may
// have ended when this returns. Errors: ENOENT when `init` has.
Result<std::vector<pid_t>> processes_beside(pid_t init);

}  // namespace oblea::tools
