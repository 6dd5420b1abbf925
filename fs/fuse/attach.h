// SPDX-License-Identifier: MIT
// Puts a FUSE mount on a folder and takes it away: mount(2) where we may, else fusermount3.
//
// Mounting inside a user namespace of one's own counts as "where we may". The mount point is looked
// at before it is mounted and never after.
#pragma once
#include "fs/fuse/server.h"
#include "store/base/unique_fd.h"

#include <string>
#include <string_view>

namespace oblea::fs {

struct Attached {
    base::UniqueFd device;       // the connection to the kernel
    std::string mount_point;     // absolute, without links
    std::string mount_device;    // "0:57", which a later mount may have, too
    std::uint64_t mount_id = 0;  // that no other mount ever has; 0: unknown (before Linux 6.8)
};

// Errors: see Server::mount.
Result<Attached> attach(std::string const& mount_point, MountOptions const& options);

// Has the kernel read this mount's files ahead by so many bytes instead of its usual 128 KiB, once
// INIT is answered. For root only: who may not set it keeps the usual.
void read_far_ahead(Attached const& attached, unsigned bytes);

// Takes exactly this mount away; done already is a success. Errors: EBUSY when it is in use.
Status detach(Attached const& attached, Lazy lazy);

// What tells the mount at a place from every other, for Attached.
std::uint64_t mount_id_at(std::string const& mount_point);

// The pure parts.

// The data of mount(2) for the file system type "fuse".
std::string kernel_options(int device, unsigned root_mode, unsigned uid, unsigned gid,
                           MountOptions const& options);
// The argument of `fusermount3 -o`.
std::string fusermount_options(MountOptions const& options);
// What fusermount3 wrote, as an error that says what to do.
Error explain_fusermount(std::string_view messages, std::string const& mount_point);
// Whether `inner` is `outer` or lies below it; both absolute and without links.
[[nodiscard]] bool is_within(std::string_view inner, std::string_view outer);

}  // namespace oblea::fs
