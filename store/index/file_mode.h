// SPDX-License-Identifier: MIT
// File types as st_mode has them, and back. Pure.
#pragma once
#include "store/index/types.h"

#include <sys/stat.h>

namespace oblea::store {

// S_IFREG and its like.
[[nodiscard]] inline mode_t mode_of(FileType type) {
    switch (type) {
    case FileType::regular:
        return S_IFREG;
    case FileType::directory:
        return S_IFDIR;
    case FileType::symlink:
        return S_IFLNK;
    case FileType::char_device:
        return S_IFCHR;
    case FileType::block_device:
        return S_IFBLK;
    case FileType::fifo:
        return S_IFIFO;
    case FileType::socket:
        return S_IFSOCK;
    }
    return S_IFREG;
}

// The reverse, of any st_mode.
[[nodiscard]] constexpr FileType type_of_mode(std::uint32_t mode) {
    switch (mode & S_IFMT) {
    case S_IFDIR:
        return FileType::directory;
    case S_IFLNK:
        return FileType::symlink;
    case S_IFCHR:
        return FileType::char_device;
    case S_IFBLK:
        return FileType::block_device;
    case S_IFIFO:
        return FileType::fifo;
    case S_IFSOCK:
        return FileType::socket;
    default:
        return FileType::regular;
    }
}

}  // namespace oblea::store
