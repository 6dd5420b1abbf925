// SPDX-License-Identifier: MIT
// Mount namespaces of our own, and the machine's folders shown inside another root.
//
// Everything is relative to the root's descriptor, with its links resolved inside it, so that a
// hostile image leads nowhere else.
#pragma once
#include "store/base/error.h"
#include "store/base/unique_fd.h"

#include <string>
#include <vector>

namespace oblea::tools {

// Gives this process a mount namespace of its own: what is mounted in it stays in it, what others
// unmount outside goes from it too.
Status enter_mount_namespace();

// Whether the process is root of the machine or of a user namespace: then device nodes cannot be
// used and /dev is put together from the machine's.
enum class Rights { machine_root, namespace_root };

// Mounts /proc, /sys (read-only), /dev, /etc/resolv.conf and /etc/hosts of the machine onto those
// names below `root`. What is not there to be mounted on is named in the result, one line each.
Result<std::vector<std::string>> show_machine(base::UniqueFd const& root, Rights rights);

// The harmless devices that the machine has: "null", "zero", ... in /dev.
Result<std::vector<std::string>> harmless_devices();

// Links to a process's streams in a folder that is to be /dev.
Status link_streams(base::UniqueFd const& dev);

// Makes the mount at `root` this process's root folder.
Status change_root(base::UniqueFd const& root);

// Opens below `root` as if that were the root folder: links cannot lead out.
Result<base::UniqueFd> open_in_root(base::UniqueFd const& root, char const* path, int flags);

// The text of a regular file in there; empty when there is none.
Result<std::string> read_in_root(base::UniqueFd const& root, char const* path);

}  // namespace oblea::tools
