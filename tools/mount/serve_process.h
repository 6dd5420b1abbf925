// SPDX-License-Identifier: MIT
// What a process does that serves a mount and nothing else.
#pragma once
#include "tools/mount/background.h"
#include "tools/mount/mount_image.h"

namespace oblea::tools {

// A server keeps no folder busy, least of all one below its own mount, and creates files with
// exactly the permissions that it is asked for.
Status settle_process();

// Mounts, reports an encode_mount() text or the error, serves until the end without the terminal,
// tidies up; returns the exit status. The paths of the request are absolute. SIGTERM and SIGINT
// unmount.
int serve_and_report(store::StoreOptions const& store_options, MountRequest const& request,
                     Report& report);

}  // namespace oblea::tools
