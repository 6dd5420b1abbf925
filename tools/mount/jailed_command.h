// SPDX-License-Identifier: MIT
// One command with a folder as its root, in a further mount namespace: the server, whose own root
// must stay what it was, does not follow.
#pragma once
#include "tools/mount/chroot.h"
#include "tools/mount/command_plan.h"
#include "tools/mount/private_mounts.h"

#include <sys/types.h>

#include <string>

namespace oblea::tools {

struct Jail {
    std::string root;  // a mount point
    Rights rights = Rights::machine_root;
    ImageDefaults defaults;
    pid_t server = -1;  // a child that is not one of the command's
};

// Waits for the command, hands SIGTERM and SIGHUP on to it, and ends what it leaves behind. A
// command that cannot be started is a result (126, 127) and not an error.
Result<ChrootResult> run_jailed(Jail const& jail, ChrootRequest const& request);

}  // namespace oblea::tools
