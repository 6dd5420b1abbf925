// SPDX-License-Identifier: MIT
// What the union speaks: inode numbers, attributes, changes, handles, callers. Plain values.
#pragma once
#include "store/base/error.h"
#include "store/index/types.h"

#include <cstdint>
#include <optional>
#include <string>

namespace oblea::fs {

using base::Errno;
using store::DeviceNumber;
using store::FileType;
using store::Name;
using store::RelPath;

// A union inode: the FUSE node id. 1 is the root. Inodes of the image have the number of the merged
// index, for ever, and show it as st_ino; those of a stack of folders are numbered as they are met,
// and show their own (LowerTree::st_ino). Inodes born in the upper layer are numbered from
// kNewInoFirst on, show that, and keep it over copy, rename and remount.
enum class Ino : std::uint64_t { root = 1 };
inline constexpr std::uint64_t kNewInoFirst = std::uint64_t{1} << 40U;
// What a stack of folders shows for files whose own numbers may not be shown as they are.
inline constexpr std::uint64_t kForeignInoFirst = std::uint64_t{1} << 62U;

// Where in the mount table a mount is: the kernel's number of it ("0:57"), and its folder.
struct MountPlace {
    std::string device;
    std::string path;
    bool operator==(MountPlace const&) const = default;
};

// An open file or folder, from open to release.
enum class Handle : std::uint64_t {};

struct TimePoint {
    std::int64_t seconds = 0;
    std::uint32_t nanoseconds = 0;
    auto operator<=>(TimePoint const&) const = default;
};

struct Attr {
    Ino ino = Ino::root;       // the kernel's node id
    std::uint64_t st_ino = 1;  // what programs see
    FileType type = FileType::regular;
    std::uint32_t permissions = 0;  // low 12 bits of st_mode
    std::uint32_t nlink = 1;
    std::uint32_t uid = 0;
    std::uint32_t gid = 0;
    std::uint64_t size = 0;
    std::uint64_t blocks_512 = 0;
    TimePoint atime{}, mtime{}, ctime{};
    DeviceNumber device{};
};

// A name's answer: the node and its attributes. Each one given out counts as one lookup, ended by
// forget.
struct Entry {
    Attr attr;
    std::uint64_t generation = 0;
};

// Who asks, in the ids of the mount. Groups beyond gid are the kernel's business
// (default_permissions).
struct Caller {
    std::uint32_t uid = 0;
    std::uint32_t gid = 0;
    std::uint32_t umask = 0;
};

// Whether setuid, setgid (of files that the group may execute) and capabilities are dropped: the
// writer may not keep them.
enum class KillPrivileges { no, yes };

struct AttrChange {
    std::optional<std::uint32_t> permissions{};
    std::optional<std::uint32_t> uid{};
    std::optional<std::uint32_t> gid{};
    std::optional<std::uint64_t> size{};
    std::optional<TimePoint> atime{};
    std::optional<TimePoint> mtime{};
    KillPrivileges kill_privileges = KillPrivileges::no;
    // The caller is the only one who has the file open: nothing can be written meanwhile.
    enum class Alone : std::uint8_t { no, yes } alone = Alone::no;
};

struct NewNode {
    FileType type = FileType::regular;
    // As asked for: the caller's umask is taken off here, unless the folder has a default access
    // list.
    std::uint32_t permissions = 0;
    DeviceNumber device{};
    std::string symlink_target{};
};

struct StatFs {
    std::uint64_t block_bytes = 4096;
    std::uint64_t blocks = 0;
    std::uint64_t blocks_free = 0;
    std::uint64_t blocks_available = 0;
    std::uint64_t files = 0;
    std::uint64_t files_free = 0;
    std::uint32_t name_bytes_max = 255;
};

}  // namespace oblea::fs
