// SPDX-License-Identifier: MIT
#include "tests/unit/fs/faulty_calls.h"

#include <fcntl.h>
#include <linux/fs.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <cerrno>
#include <cstdarg>
#include <cstdio>

namespace oblea::test {

FaultyCalls& faulty_calls() {
    static FaultyCalls calls;
    return calls;
}

namespace {

enum class Space { needed, freed };

// Whether the call is to be made; if not, errno says why.
bool allowed(Space space) {
    FaultyCalls& calls = faulty_calls();
    if (calls.kind == FaultyCalls::Kind::none) {
        return true;
    }
    ++calls.count;
    switch (calls.kind) {
    case FaultyCalls::Kind::end_process:
        if (calls.count == calls.at) {
            ::_exit(FaultyCalls::kDied);
        }
        return true;
    case FaultyCalls::Kind::fail_once:
        if (calls.count != calls.at) {
            return true;
        }
        errno = calls.error;
        break;
    case FaultyCalls::Kind::full_disk:
        if (calls.count < calls.at || space == Space::freed) {
            return true;
        }
        errno = ENOSPC;
        break;
    default:
        return true;
    }
    calls.fired = true;
    return false;
}

template <typename... Arguments>
int call(Space space, long number, Arguments... arguments) {
    return allowed(space) ? static_cast<int>(::syscall(number, arguments...)) : -1;
}

}  // namespace
}  // namespace oblea::test

using oblea::test::call;
using oblea::test::faulty_calls;
using oblea::test::FaultyCalls;
using oblea::test::Space;

// The C library's names and types; its headers declare them with attributes of their own.
extern "C" {

int mkdirat(int dir, char const* path, mode_t mode) noexcept {
    return call(Space::needed, SYS_mkdirat, dir, path, mode);
}
int mknodat(int dir, char const* path, mode_t mode, dev_t device) noexcept {
    if (faulty_calls().whiteout_devices == FaultyCalls::Offered::no && S_ISCHR(mode) &&
        device == 0) {
        errno = EPERM;
        return -1;
    }
    return call(Space::needed, SYS_mknodat, dir, path, mode, device);
}
int symlinkat(char const* target, int dir, char const* path) noexcept {
    return call(Space::needed, SYS_symlinkat, target, dir, path);
}
int linkat(int from, char const* source, int to, char const* target, int flags) noexcept {
    return call(Space::needed, SYS_linkat, from, source, to, target, flags);
}
int unlinkat(int dir, char const* path, int flags) noexcept {
    return call(Space::freed, SYS_unlinkat, dir, path, flags);
}
int renameat2(int from, char const* source, int to, char const* target, unsigned flags) noexcept {
    if (faulty_calls().rename_whiteout == FaultyCalls::Offered::no &&
        (flags & RENAME_WHITEOUT) != 0) {
        errno = EINVAL;
        return -1;
    }
    return call(Space::needed, SYS_renameat2, from, source, to, target, flags);
}
int fchmod(int fd, mode_t mode) noexcept {
    return call(Space::freed, SYS_fchmod, fd, mode);
}
int fchmodat(int dir, char const* path, mode_t mode, int flags) noexcept {
    if (flags != 0) {
        errno = EINVAL;
        return -1;
    }
    return call(Space::freed, SYS_fchmodat, dir, path, mode);
}
int fchownat(int dir, char const* path, uid_t uid, gid_t gid, int flags) noexcept {
    return call(Space::freed, SYS_fchownat, dir, path, uid, gid, flags);
}
int utimensat(int dir, char const* path, struct timespec const times[2], int flags) noexcept {
    return call(Space::freed, SYS_utimensat, dir, path, times, flags);
}
int ftruncate(int fd, off_t size) noexcept {
    return call(Space::freed, SYS_ftruncate, fd, size);
}
int fallocate(int fd, int mode, off_t offset, off_t length) {
    return call(Space::needed, SYS_fallocate, fd, mode, offset, length);
}
int fsync(int fd) {
    ++faulty_calls().syncs;
    return call(Space::freed, SYS_fsync, fd);
}
int fdatasync(int fd) {
    ++faulty_calls().syncs;
    return call(Space::freed, SYS_fdatasync, fd);
}
int syncfs(int fd) noexcept {
    ++faulty_calls().syncs;
    return call(Space::freed, SYS_syncfs, fd);
}
int fsetxattr(int fd, char const* name, void const* value, size_t size, int flags) noexcept {
    return call(Space::needed, SYS_fsetxattr, fd, name, value, size, flags);
}
int lsetxattr(char const* path, char const* name, void const* value, size_t size,
              int flags) noexcept {
    return call(Space::needed, SYS_lsetxattr, path, name, value, size, flags);
}
int fremovexattr(int fd, char const* name) noexcept {
    return call(Space::freed, SYS_fremovexattr, fd, name);
}
int lremovexattr(char const* path, char const* name) noexcept {
    return call(Space::freed, SYS_lremovexattr, path, name);
}
ssize_t pwrite(int fd, void const* data, size_t size, off_t offset) {
    return oblea::test::allowed(Space::needed) ? ::syscall(SYS_pwrite64, fd, data, size, offset)
                                               : -1;
}
ssize_t copy_file_range(int source, off_t* from, int target, off_t* to, size_t length,
                        unsigned flags) {
    return oblea::test::allowed(Space::needed)
               ? ::syscall(SYS_copy_file_range, source, from, target, to, length, flags)
               : -1;
}
// With O_CREAT alone it changes something.
int openat(int dir, char const* path, int flags, ...) {
    mode_t mode = 0;
    if ((flags & (O_CREAT | O_TMPFILE)) != 0) {
        std::va_list more;
        va_start(more, flags);
        mode = va_arg(more, mode_t);
        va_end(more);
    }
    if ((flags & O_CREAT) == 0) {
        return static_cast<int>(::syscall(SYS_openat, dir, path, flags, mode));
    }
    return call(Space::needed, SYS_openat, dir, path, flags, mode);
}

}  // extern "C"
