// SPDX-License-Identifier: MIT
// fusermount3, the setuid program by which an ordinary user mounts.
#pragma once
#include "fs/fuse/server.h"
#include "store/base/unique_fd.h"

#include <string>

namespace oblea::fs {

// Returns the connection to the kernel. Errors: ENOENT when there is no fusermount3, EPERM when it
// is not setuid or user_allow_other is missing, and what it reports, each with the way out.
Result<base::UniqueFd> fusermount_mount(std::string const& mount_point,
                                        MountOptions const& options);

Status fusermount_unmount(std::string const& mount_point, Lazy lazy);

}  // namespace oblea::fs
