// SPDX-License-Identifier: MIT
// The root file system of a container without an OCI runtime: its mounts, devices and hidden paths.
#pragma once
#include "store/base/error.h"
#include "store/base/unique_fd.h"
#include "tools/container/read_bundle.h"
#include "tools/monitor/terminal.h"

#include <optional>

namespace oblea::tools {

// In a mount namespace of the calling process's own, in the other namespaces of the container: puts
// the root together and makes it this process's. The terminal, where one is asked for, is of the
// container's own devpts. What is to be mounted on and is not there is made. Errors: as the mounts.
Result<std::optional<PseudoTerminal>> enter_own_root(Bundle const& bundle);

// Mounts something below `root`, a folder in this process's mount namespace. What is to be mounted
// on and is not there is made.
Status mount_in_root(base::UniqueFd const& root, BundleMount const& mount);

}  // namespace oblea::tools
