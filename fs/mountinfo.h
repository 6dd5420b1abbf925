// SPDX-License-Identifier: MIT
// The mount table of a process's mount namespace.
//
// Reading it never touches a mounted file system, so it is safe where a path lookup would hang.
// Spec: proc_pid_mountinfo(5).
#pragma once
#include "store/base/error.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace oblea::fs {

struct MountEntry {
    std::string device;  // "0:57"
    std::string mount_point;
    std::string options;  // of the mount: "rw,nosuid,nodev"
    std::string type;     // "fuse.oblea"
    std::string source;
};

// In the order of the table: of several on one mount point, the last is on top. Lines that are none
// are left out.
std::vector<MountEntry> parse_mountinfo(std::string_view text);

Result<std::vector<MountEntry>> read_mountinfo();
// Of another process. Errors: it is gone, or of somebody else.
Result<std::vector<MountEntry>> read_mountinfo(std::int64_t pid);

// The topmost mount at exactly that path.
std::optional<MountEntry> top_mount_at(std::vector<MountEntry> const& table, std::string_view path);

// Whether a server of ours serves it.
[[nodiscard]] bool is_ours(MountEntry const& entry);

}  // namespace oblea::fs
