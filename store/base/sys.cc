// SPDX-License-Identifier: MIT
#include "store/base/sys.h"

#include "store/base/scope_exit.h"

#include <dirent.h>
#include <linux/openat2.h>
#include <sys/file.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <memory>

namespace oblea::base {

void UniqueFd::reset(int fd) noexcept {
    int const old = std::exchange(fd_, fd);
    if (old >= 0) {
        ::close(old);
    }
}

}  // namespace oblea::base

namespace oblea::base::sys {

namespace {

// Repeats `call` while a signal interrupts it.
template <typename F>
auto retry(F&& call) {
    decltype(call()) result{};
    do {
        result = call();
    } while (result < 0 && errno == EINTR);
    return result;
}

std::unexpected<Error> errno_error(char const* op, std::string detail = {}) {
    return fail(static_cast<Errno>(errno), op, std::move(detail));
}

template <typename F>
Status status_of(char const* op, F&& call) {
    if (retry(call) < 0) {
        return errno_error(op);
    }
    return {};
}

}  // namespace

Errno last_errno() {
    return static_cast<Errno>(errno);
}

std::string proc_path(int fd) {
    return "/proc/self/fd/" + std::to_string(fd);
}

Result<UniqueFd> open(std::string const& path, int flags, mode_t mode) {
    auto opened = openat(AT_FDCWD, path.c_str(), flags, mode);
    if (!opened.has_value()) {
        return fail(opened.error().code, "open", path);
    }
    return opened;
}

Result<UniqueFd> openat(int dir, char const* path, int flags, mode_t mode) {
    int const fd = retry([&] { return ::openat(dir, path, flags | O_CLOEXEC, mode); });
    if (fd < 0) {
        return errno_error("open");
    }
    return UniqueFd{fd};
}

Result<UniqueFd> openat2(int dir, char const* path, std::uint64_t flags, std::uint64_t resolve,
                         mode_t mode) {
    struct open_how how = {};
    how.flags = flags | O_CLOEXEC;
    how.mode = mode;
    how.resolve = resolve;
    long const fd = retry([&] { return ::syscall(SYS_openat2, dir, path, &how, sizeof(how)); });
    if (fd < 0) {
        return errno_error("openat2");
    }
    return UniqueFd{static_cast<int>(fd)};
}

Result<UniqueFd> duplicate(int fd) {
    int const copy = ::fcntl(fd, F_DUPFD_CLOEXEC, 0);
    if (copy < 0) {
        return errno_error("dup");
    }
    return UniqueFd{copy};
}

Result<std::size_t> pread_full(int fd, MutableBytes buffer, std::uint64_t offset) {
    std::size_t done = 0;
    while (done < buffer.size()) {
        ssize_t const count = retry([&] {
            return ::pread(fd, buffer.data() + done, buffer.size() - done,
                           static_cast<off_t>(offset + done));
        });
        if (count < 0) {
            return errno_error("pread");
        }
        if (count == 0) {
            break;
        }
        done += static_cast<std::size_t>(count);
    }
    return done;
}

Result<std::size_t> read_some(int fd, MutableBytes buffer) {
    ssize_t const count = retry([&] { return ::read(fd, buffer.data(), buffer.size()); });
    if (count < 0) {
        return errno_error("read");
    }
    return static_cast<std::size_t>(count);
}

Status pwrite_all(int fd, ByteView data, std::uint64_t offset) {
    std::size_t done = 0;
    while (done < data.size()) {
        ssize_t const count = retry([&] {
            return ::pwrite(fd, data.data() + done, data.size() - done,
                            static_cast<off_t>(offset + done));
        });
        if (count < 0) {
            return errno_error("pwrite");
        }
        done += static_cast<std::size_t>(count);
    }
    return {};
}

Status write_all(int fd, ByteView data) {
    std::size_t done = 0;
    while (done < data.size()) {
        ssize_t const count =
            retry([&] { return ::write(fd, data.data() + done, data.size() - done); });
        if (count < 0) {
            return errno_error("write");
        }
        done += static_cast<std::size_t>(count);
    }
    return {};
}

Result<std::string> read_file(int dir, char const* path, std::size_t limit_bytes) {
    UniqueFd const file = OBLEA_TRY(openat(dir, path, O_RDONLY));
    std::string text;
    std::size_t room = 4096;
    for (;;) {
        std::size_t const old = text.size();
        text.resize(old + room);
        auto const view = MutableBytes{reinterpret_cast<std::byte*>(text.data()) + old, room};
        std::size_t const count = OBLEA_TRY(read_some(file.get(), view));
        text.resize(old + count);
        if (count == 0) {
            return text;
        }
        if (text.size() > limit_bytes) {
            return fail(Errno::efbig, "read", path);
        }
        room = std::clamp<std::size_t>(text.size(), 4096, 1U << 20U);
    }
}

Status replace_file(int dir, char const* path, std::string_view text, mode_t mode, Sync sync) {
    static std::atomic<unsigned> counter{0};
    std::string const temporary = std::string{path} + ".new." + std::to_string(::getpid()) + "." +
                                  std::to_string(counter.fetch_add(1));
    UniqueFd const file =
        OBLEA_TRY(openat(dir, temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL, mode));
    ScopeExit discard{[&] { ::unlinkat(dir, temporary.c_str(), 0); }};
    OBLEA_TRY(write_all(file.get(), bytes_of(text)));
    if (sync == Sync::yes) {
        OBLEA_TRY(fsync(file.get()));
    }
    OBLEA_TRY(renameat2(dir, temporary.c_str(), dir, path));
    discard.dismiss();
    if (sync == Sync::yes) {
        std::string const name{path};
        auto const slash = name.rfind('/');
        std::string const parent = slash == std::string::npos ? "." : name.substr(0, slash + 1);
        UniqueFd const folder = OBLEA_TRY(openat(dir, parent.c_str(), O_RDONLY | O_DIRECTORY));
        OBLEA_TRY(fsync(folder.get()));
    }
    return {};
}

Result<struct stat> fstat(int fd) {
    struct stat info = {};
    if (::fstat(fd, &info) < 0) {
        return errno_error("fstat");
    }
    return info;
}

Result<struct stat> fstatat(int dir, char const* path, int flags) {
    struct stat info = {};
    if (::fstatat(dir, path, &info, flags) < 0) {
        return errno_error("stat");
    }
    return info;
}

Result<std::optional<struct stat>> stat_if_exists(int dir, char const* path) {
    struct stat info = {};
    if (::fstatat(dir, path, &info, AT_SYMLINK_NOFOLLOW) < 0) {
        if (errno == ENOENT) {
            return std::optional<struct stat>{};
        }
        return errno_error("stat");
    }
    return std::optional<struct stat>{info};
}

Status mkdirat(int dir, char const* path, mode_t mode) {
    return status_of("mkdir", [&] { return ::mkdirat(dir, path, mode); });
}

Status mkdirat_if_missing(int dir, char const* path, mode_t mode) {
    auto made = mkdirat(dir, path, mode);
    if (!made.has_value() && made.error().code == Errno::eexist) {
        return {};
    }
    return made;
}

Status mkdir_all(std::string const& path, mode_t mode) {
    for (std::size_t end = path.find('/', 1);; end = path.find('/', end + 1)) {
        std::string const prefix = path.substr(0, end);
        if (!prefix.empty()) {
            auto made = mkdirat_if_missing(AT_FDCWD, prefix.c_str(), mode);
            if (!made.has_value()) {
                return std::unexpected<Error>(with_context(made.error(), prefix));
            }
        }
        if (end == std::string::npos) {
            return {};
        }
    }
}

Status mknodat(int dir, char const* path, mode_t mode, dev_t device) {
    return status_of("mknod", [&] { return ::mknodat(dir, path, mode, device); });
}

Status symlinkat(std::string_view target, int dir, char const* path) {
    std::string const text{target};
    return status_of("symlink", [&] { return ::symlinkat(text.c_str(), dir, path); });
}

Status linkat(int source_dir, char const* source, int target_dir, char const* target, int flags) {
    return status_of("link",
                     [&] { return ::linkat(source_dir, source, target_dir, target, flags); });
}

Status unlinkat(int dir, char const* path, int flags) {
    return status_of("unlink", [&] { return ::unlinkat(dir, path, flags); });
}

Status unlink_if_exists(int dir, char const* path) {
    auto removed = unlinkat(dir, path);
    if (!removed.has_value() && removed.error().code == Errno::enoent) {
        return {};
    }
    return removed;
}

Status renameat2(int source_dir, char const* source, int target_dir, char const* target,
                 unsigned flags) {
    return status_of("rename",
                     [&] { return ::renameat2(source_dir, source, target_dir, target, flags); });
}

Result<std::string> readlinkat(int dir, char const* path) {
    std::string target(256, '\0');
    for (;;) {
        ssize_t const size = ::readlinkat(dir, path, target.data(), target.size());
        if (size < 0) {
            return errno_error("readlink");
        }
        if (static_cast<std::size_t>(size) < target.size()) {
            target.resize(static_cast<std::size_t>(size));
            return target;
        }
        target.resize(target.size() * 2);
    }
}

Status fsync(int fd) {
    return status_of("fsync", [&] { return ::fsync(fd); });
}

Status fdatasync(int fd) {
    return status_of("fdatasync", [&] { return ::fdatasync(fd); });
}

void start_writeback(int fd, std::uint64_t offset, std::uint64_t length) {
    // Advice: the fsync that follows reports what goes wrong.
    static_cast<void>(::sync_file_range(fd, static_cast<off_t>(offset), static_cast<off_t>(length),
                                        SYNC_FILE_RANGE_WRITE));
}

Status ftruncate(int fd, std::uint64_t size) {
    return status_of("ftruncate", [&] { return ::ftruncate(fd, static_cast<off_t>(size)); });
}

Status fallocate(int fd, int mode, std::uint64_t offset, std::uint64_t length) {
    return status_of("fallocate", [&] {
        return ::fallocate(fd, mode, static_cast<off_t>(offset), static_cast<off_t>(length));
    });
}

Status fchmod(int fd, mode_t mode) {
    return status_of("chmod", [&] { return ::fchmod(fd, mode); });
}

Status fchmodat(int dir, char const* path, mode_t mode) {
    return status_of("chmod", [&] { return ::fchmodat(dir, path, mode, 0); });
}

Status fchownat(int dir, char const* path, uid_t uid, gid_t gid, int flags) {
    return status_of("chown", [&] { return ::fchownat(dir, path, uid, gid, flags); });
}

Status utimensat(int dir, char const* path, struct timespec const times[2], int flags) {
    return status_of("utimensat", [&] { return ::utimensat(dir, path, times, flags); });
}

Result<struct statfs> fstatfs(int fd) {
    struct statfs info = {};
    if (retry([&] { return ::fstatfs(fd, &info); }) < 0) {
        return errno_error("statfs");
    }
    return info;
}

Result<std::uint64_t> copy_range(int source, std::uint64_t source_offset, int target,
                                 std::uint64_t target_offset, std::uint64_t length) {
    constexpr std::uint64_t kStep = 1U << 30U;
    std::uint64_t done = 0;
    bool in_kernel = true;
    std::vector<std::byte> buffer;
    while (done < length) {
        std::uint64_t const step = std::min(length - done, kStep);
        if (in_kernel) {
            auto from = static_cast<off_t>(source_offset + done);
            auto to = static_cast<off_t>(target_offset + done);
            ssize_t const count =
                retry([&] { return ::copy_file_range(source, &from, target, &to, step, 0); });
            if (count > 0) {
                done += static_cast<std::uint64_t>(count);
                continue;
            }
            if (count < 0 && errno != EXDEV && errno != EINVAL && errno != ENOSYS &&
                errno != EOPNOTSUPP) {
                return errno_error("copy_file_range");
            }
            // Some file systems answer 0 where they mean "cannot": let read decide whether the
            // source has ended.
            in_kernel = false;
            buffer.resize(1U << 20U);
        }
        auto const piece =
            MutableBytes{buffer}.first(static_cast<std::size_t>(std::min(step, buffer.size())));
        std::size_t const count = OBLEA_TRY(pread_full(source, piece, source_offset + done));
        if (count == 0) {
            break;
        }
        OBLEA_TRY(pwrite_all(target, piece.first(count), target_offset + done));
        done += count;
    }
    return done;
}

namespace {
int flock_mode(LockKind kind) {
    return kind == LockKind::shared ? LOCK_SH : LOCK_EX;
}
}  // namespace

Status lock(int fd, LockKind kind) {
    return status_of("flock", [&] { return ::flock(fd, flock_mode(kind)); });
}

Result<bool> try_lock(int fd, LockKind kind) {
    if (retry([&] { return ::flock(fd, flock_mode(kind) | LOCK_NB); }) < 0) {
        if (errno == EWOULDBLOCK) {
            return false;
        }
        return errno_error("flock");
    }
    return true;
}

namespace {

template <typename F>
Result<std::optional<std::string>> get_xattr(F&& call) {
    std::string value(256, '\0');
    for (;;) {
        ssize_t const size = call(value.data(), value.size());
        if (size >= 0) {
            value.resize(static_cast<std::size_t>(size));
            return std::optional{std::move(value)};
        }
        if (errno == ENODATA) {
            return std::optional<std::string>{};
        }
        if (errno != ERANGE || value.size() == 65536) {
            return errno_error("getxattr");
        }
        value.resize(65536);  // XATTR_SIZE_MAX
    }
}

template <typename F>
Result<std::vector<std::string>> list_xattrs(F&& call) {
    std::string names(1024, '\0');
    ssize_t size = call(names.data(), names.size());
    if (size < 0 && errno == ERANGE) {
        names.resize(65536);  // XATTR_LIST_MAX
        size = call(names.data(), names.size());
    }
    if (size < 0) {
        return errno_error("listxattr");
    }
    std::vector<std::string> list;
    std::string_view rest{names.data(), static_cast<std::size_t>(size)};
    while (!rest.empty()) {
        auto const end = rest.find('\0');
        list.emplace_back(rest.substr(0, end));
        rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
    }
    return list;
}

}  // namespace

Result<std::optional<std::string>> fgetxattr(int fd, char const* name) {
    return get_xattr([&](char* to, std::size_t room) { return ::fgetxattr(fd, name, to, room); });
}

Result<std::optional<std::string>> lgetxattr(std::string const& path, char const* name) {
    return get_xattr(
        [&](char* to, std::size_t room) { return ::lgetxattr(path.c_str(), name, to, room); });
}

Status fsetxattr(int fd, char const* name, std::string_view value, int flags) {
    return status_of("setxattr",
                     [&] { return ::fsetxattr(fd, name, value.data(), value.size(), flags); });
}

Status lsetxattr(std::string const& path, char const* name, std::string_view value, int flags) {
    return status_of("setxattr", [&] {
        return ::lsetxattr(path.c_str(), name, value.data(), value.size(), flags);
    });
}

Status fremovexattr(int fd, char const* name) {
    return status_of("removexattr", [&] { return ::fremovexattr(fd, name); });
}

Status lremovexattr(std::string const& path, char const* name) {
    return status_of("removexattr", [&] { return ::lremovexattr(path.c_str(), name); });
}

Result<std::vector<std::string>> flistxattr(int fd) {
    return list_xattrs([&](char* to, std::size_t room) { return ::flistxattr(fd, to, room); });
}

Result<std::vector<std::string>> llistxattr(std::string const& path) {
    return list_xattrs(
        [&](char* to, std::size_t room) { return ::llistxattr(path.c_str(), to, room); });
}

Status syncfs(int fd) {
    return status_of("syncfs", [&] { return ::syncfs(fd); });
}

Result<std::uint64_t> lseek(int fd, std::uint64_t offset, int whence) {
    off_t const at = ::lseek(fd, static_cast<off_t>(offset), whence);
    if (at < 0) {
        return errno_error("lseek");
    }
    return static_cast<std::uint64_t>(at);
}

Result<std::vector<DirEntry>> list_dir(int dir) {
    UniqueFd copy = OBLEA_TRY(openat(dir, ".", O_RDONLY | O_DIRECTORY));
    std::unique_ptr<DIR, int (*)(DIR*)> stream{::fdopendir(copy.get()), &::closedir};
    if (stream == nullptr) {
        return errno_error("opendir");
    }
    static_cast<void>(copy.release());  // the stream owns it now
    std::vector<DirEntry> entries;
    for (;;) {
        errno = 0;
        struct dirent const* entry = ::readdir(stream.get());
        if (entry == nullptr) {
            if (errno != 0) {
                return errno_error("readdir");
            }
            return entries;
        }
        std::string_view const name{entry->d_name};
        if (name != "." && name != "..") {
            entries.push_back({std::string{name}, entry->d_ino, entry->d_type});
        }
    }
}

Status remove_tree(int dir, char const* path) {
    auto removed = unlinkat(dir, path);
    if (removed.has_value() || removed.error().code == Errno::enoent) {
        return {};
    }
    if (removed.error().code != Errno::eisdir && removed.error().code != Errno::eperm) {
        return removed;
    }
    auto folder = openat(dir, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
    if (!folder.has_value() && folder.error().code == Errno::eacces) {
        OBLEA_TRY(fchmodat(dir, path, 0700));
        folder = openat(dir, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
    }
    UniqueFd const opened = OBLEA_TRY(std::move(folder));
    struct stat const info = OBLEA_TRY(fstat(opened.get()));
    if ((info.st_mode & 0700) != 0700) {
        OBLEA_TRY(fchmodat(dir, path, 0700));
    }
    for (DirEntry const& entry : OBLEA_TRY(list_dir(opened.get()))) {
        OBLEA_TRY(remove_tree(opened.get(), entry.name.c_str()));
    }
    auto gone = unlinkat(dir, path, AT_REMOVEDIR);
    if (!gone.has_value() && gone.error().code != Errno::enoent) {
        return gone;
    }
    return {};
}

}  // namespace oblea::base::sys
