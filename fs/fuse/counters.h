// SPDX-License-Identifier: MIT
// The one table of request names, and how often each was answered.
//
// Counting is lock-free and relaxed: the figures are for people and for tests that compare them
// when nothing runs.
#pragma once
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace oblea::fs {

enum class Op : std::uint8_t {
    lookup,
    forget,
    getattr,
    setattr,
    readlink,
    mknod,
    mkdir,
    symlink,
    link,
    unlink,
    rmdir,
    rename,
    open,
    create,
    tmpfile,
    read,
    write,
    release,
    fsync,
    fallocate,
    lseek,
    copy_file_range,
    opendir,
    readdir,
    readdirplus,
    releasedir,
    fsyncdir,
    getxattr,
    listxattr,
    setxattr,
    removexattr,
    statfs,
    ioctl,
    count,
};

inline constexpr std::size_t kOpCount = static_cast<std::size_t>(Op::count);

inline constexpr std::array<std::string_view, kOpCount> kOpNames{
    "lookup",      "forget",          "getattr",  "setattr",   "readlink",
    "mknod",       "mkdir",           "symlink",  "link",      "unlink",
    "rmdir",       "rename",          "open",     "create",    "tmpfile",
    "read",        "write",           "release",  "fsync",     "fallocate",
    "lseek",       "copy_file_range", "opendir",  "readdir",   "readdirplus",
    "releasedir",  "fsyncdir",        "getxattr", "listxattr", "setxattr",
    "removexattr", "statfs",          "ioctl"};

constexpr std::string_view name_of(Op op) {
    return kOpNames[static_cast<std::size_t>(op)];
}

class Counters {
public:
    void count(Op op) noexcept {
        counts_[static_cast<std::size_t>(op)].fetch_add(1, std::memory_order_relaxed);
    }
    [[nodiscard]] std::uint64_t of(Op op) const noexcept {
        return counts_[static_cast<std::size_t>(op)].load(std::memory_order_relaxed);
    }

private:
    std::array<std::atomic<std::uint64_t>, kOpCount> counts_{};
};

}  // namespace oblea::fs
