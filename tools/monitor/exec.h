// SPDX-License-Identifier: MIT
// A further command in a running container.
#pragma once
#include "store/store.h"
#include "tools/mount/containers.h"

#include <string>
#include <vector>

namespace oblea::tools {

struct ExecRequest {
    std::vector<std::string> command;
    std::vector<std::string> env;  // "NAME=VALUE", or "NAME" to hand the caller's value on
    std::string workdir;           // empty: the container's
    std::string user;              // empty: the container's
    bool terminal = false;
    bool input = false;
    bool detached = false;
};

struct ExecResult {
    int exit_status = 0;  // the command's; 126, 127 when it could not be run: `problem` says why
    std::string problem;
};

// Forks; the caller has one thread. Errors: ESRCH when the container does not run; EBUSY when
// it is paused.
Result<ExecResult> exec_in_container(store::Store const& store, Container const& container,
                                     ExecRequest const& request);

}  // namespace oblea::tools
