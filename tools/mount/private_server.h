// SPDX-License-Identifier: MIT
// A container mounted in a mount namespace of its own, for a program that runs in it or a command
// that looks into it.
//
// The server is a child of the process that lives in that namespace, and ends with it. All
// functions want a process of one thread.
#pragma once
#include "tools/mount/background.h"
#include "tools/mount/command_plan.h"
#include "tools/mount/mount_image.h"
#include "tools/mount/private_mounts.h"

#include <functional>
#include <string>
#include <string_view>

namespace oblea::tools {

using Warn = std::function<void(std::string const&)>;

// Asks the kernel to send SIGTERM to this process when its parent ends: an orphan would serve for
// ever.
void end_with_parent();

// Enters a mount namespace for good, and a user namespace first where this process may not mount.
// What becomes an orphan below is this process's child from then on. `warn` may be empty.
Result<Rights> enter_private_namespaces(Warn const& warn);

// With which owners a process of this user writes that has done so. Forks where only a child can
// try.
Result<OwnerIds> owner_ids_in_private();

// Enters the namespaces of another process for good.
Status join_namespaces(std::int64_t pid);

// No device node on the root folder's mount of another process is a device from now on. For a
// container that is made and does not run yet: crun binds its root to itself and forgets that.
Status forbid_devices_at_root(std::int64_t pid);

struct PrivateServer {
    Child process;
    MountInfo info;
};

struct PrivateMount {
    MountSource source;
    RemoveAtUnmount remove = RemoveAtUnmount::when_untouched;
    store::Contents contents = store::Contents::trusted;
    fs::MountOptions::Dev dev = fs::MountOptions::Dev::no;
};

// Mounts with set-user-id programs, for all users of the namespace, and shows the names
// that the machine's folders and files are mounted on, whether the image has them or not.
Result<PrivateServer> serve_privately(store::StoreOptions const& store_options,
                                      PrivateMount const& wanted);

// Unmounts and waits. Errors: EIO when it did not end cleanly.
Status end_private_server(PrivateServer const& server);

// The defaults that an image's config has for what runs in it; all empty when the image is gone.
Result<ImageDefaults> read_image_defaults(store::Store const& store, store::Digest const& image);

}  // namespace oblea::tools
