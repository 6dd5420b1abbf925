// SPDX-License-Identifier: MIT
// The one table of request names, and how often each was answered; and how many bytes were copied
// up.
//
// Counting is lock-free and relaxed: the figures are for people and for tests that compare them
// when nothing runs.
#pragma once
#include "fs/shared_memory.h"
#include "store/base/error.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

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

// Beside the requests in the page: bytes of contents that were copied from the lower tree.
inline constexpr std::string_view kCopiedBytes = "copied_bytes";

// One page of memory that other processes of the same owner can look into: whoever may open
// /proc/PID/fd/N, where N is descriptor().
class Counters {
public:
    static Result<Counters> make();
    // Goes on with what another process counted, maybe of fewer kinds. Errors: EBADMSG when the
    // kinds are others.
    static Result<Counters> adopt(SharedMemory memory);

    void count(Op op) noexcept;
    void add_copied(std::uint64_t bytes) noexcept;
    [[nodiscard]] std::uint64_t of(Op op) const noexcept;
    [[nodiscard]] SharedMemory const& memory() const { return memory_; }
    [[nodiscard]] int descriptor() const { return memory_.descriptor(); }

private:
    explicit Counters(SharedMemory memory) : memory_(std::move(memory)) {}
    SharedMemory memory_;
};

using RequestCounts = std::vector<std::pair<std::string, std::uint64_t>>;

// What a server's page says, kinds that never came left out, kCopiedBytes among them; `memory` is a
// descriptor of it. Errors: EBADMSG when it is none.
Result<RequestCounts> read_counts(int memory);

}  // namespace oblea::fs
