// SPDX-License-Identifier: MIT
// Mounts of plain folders: the processes that serve one, and what they leave behind.
//
// One process holds the mount and another serves it: when that dies, the next takes over
// (keep_serving()).
//
// The upper folder is private while it is mounted (UpperDir::State) and sealed before the server
// ends, so that every overlay understands it. Other servers that want it meanwhile wait for that.
#pragma once
#include "tools/overlay/overlay_options.h"

#include <string>

namespace oblea::tools {

// Mounts and returns once the mount answers; the server goes on in the background. Forks, so it
// must be called from a process that has one thread. Errors: what the folders, the upper layer and
// Server::mount say; EINVAL for a mount point that covers a folder of the stack or lies in the
// upper one; EBUSY for an upper that another mount has.
Status mount_overlay(OverlayOptions const& options, std::string const& mount_point);

// The calling process holds the mount, and must have one thread; returns when the mount has ended
// and the upper is sealed. SIGTERM, SIGINT and SIGHUP unmount.
Status serve_overlay(OverlayOptions const& options, std::string const& mount_point);

// Seals the upper of a mount whose server was killed. One that is sealed stays as it is.
// Errors: EBUSY while it is mounted.
Status seal_overlay(OverlayOptions const& options);

}  // namespace oblea::tools
