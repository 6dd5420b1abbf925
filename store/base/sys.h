// SPDX-License-Identifier: MIT
// System calls, each returning Result; the one place that reads errno.
//
// Paths are relative to a directory descriptor wherever the kernel allows it (AT_FDCWD for the
// working folder). Every descriptor is opened close-on-exec. Calls interrupted by a signal are
// repeated. All functions are thread-safe.
#pragma once
#include "store/base/bytes.h"
#include "store/base/error.h"
#include "store/base/unique_fd.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/vfs.h>

#include <cstdint>
#include <ctime>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace oblea::base::sys {

// The last error of the calling thread; for the rare caller outside of sys.cc that makes a call of
// its own.
[[nodiscard]] Errno last_errno();

Result<UniqueFd> open(std::string const& path, int flags, mode_t mode = 0600);
Result<UniqueFd> openat(int dir, char const* path, int flags, mode_t mode = 0600);

// openat2(2). `resolve` takes RESOLVE_BENEATH, RESOLVE_IN_ROOT, RESOLVE_NO_SYMLINKS, ...
Result<UniqueFd> openat2(int dir, char const* path, std::uint64_t flags, std::uint64_t resolve,
                         mode_t mode = 0);

Result<UniqueFd> duplicate(int fd);

// Reads until `buffer` is full or the file ends; returns the count.
Result<std::size_t> pread_full(int fd, MutableBytes buffer, std::uint64_t offset);
Result<std::size_t> read_some(int fd, MutableBytes buffer);  // 0 at the end
Status pwrite_all(int fd, ByteView data, std::uint64_t offset);
Status write_all(int fd, ByteView data);

// The whole file; EFBIG when it is larger than `limit_bytes`.
Result<std::string> read_file(int dir, char const* path, std::size_t limit_bytes);

// Writes a new file next to the old one and renames it over: readers see the old or the new text,
// never a part. With Sync::yes both the data and the folder are on disk when it returns.
enum class Sync { no, yes };
Status replace_file(int dir, char const* path, std::string_view text, mode_t mode, Sync sync);

Result<struct stat> fstat(int fd);
Result<struct stat> fstatat(int dir, char const* path, int flags = AT_SYMLINK_NOFOLLOW);
// nullopt when nothing has that name.
Result<std::optional<struct stat>> stat_if_exists(int dir, char const* path);

Status mkdirat(int dir, char const* path, mode_t mode);
Status mkdirat_if_missing(int dir, char const* path, mode_t mode);
Status mkdir_all(std::string const& path, mode_t mode);  // like mkdir -p
Status mknodat(int dir, char const* path, mode_t mode, dev_t device);
Status symlinkat(std::string_view target, int dir, char const* path);
Status linkat(int source_dir, char const* source, int target_dir, char const* target,
              int flags = 0);
Status unlinkat(int dir, char const* path, int flags = 0);
Status unlink_if_exists(int dir, char const* path);
Status renameat2(int source_dir, char const* source, int target_dir, char const* target,
                 unsigned flags = 0);
Result<std::string> readlinkat(int dir, char const* path);

Status fsync(int fd);
Status fdatasync(int fd);
// Asks the kernel to write the range out soon, without waiting: an fsync later finds less to do.
// Where the file system cannot, nothing happens.
void start_writeback(int fd, std::uint64_t offset, std::uint64_t length);
Status ftruncate(int fd, std::uint64_t size);
Status fallocate(int fd, int mode, std::uint64_t offset, std::uint64_t length);
Status fchmod(int fd, mode_t mode);
Status fchmodat(int dir, char const* path, mode_t mode);
Status fchownat(int dir, char const* path, uid_t uid, gid_t gid, int flags = AT_SYMLINK_NOFOLLOW);
Status utimensat(int dir, char const* path, struct timespec const times[2],
                 int flags = AT_SYMLINK_NOFOLLOW);
Result<struct statfs> fstatfs(int fd);

// Copies up to `length` bytes inside the kernel where it can, else through a buffer; returns the
// count, less than `length` only at the end of the source.
Result<std::uint64_t> copy_range(int source, std::uint64_t source_offset, int target,
                                 std::uint64_t target_offset, std::uint64_t length);

// flock(2). try_lock returns false when another descriptor holds it.
enum class LockKind { shared, exclusive };
Status lock(int fd, LockKind kind);
Result<bool> try_lock(int fd, LockKind kind);

// Extended attributes by open descriptor (not O_PATH).
Result<std::optional<std::string>> fgetxattr(int fd, char const* name);  // nullopt when absent
Status fsetxattr(int fd, char const* name, std::string_view value, int flags = 0);
Status fremovexattr(int fd, char const* name);
Result<std::vector<std::string>> flistxattr(int fd);
// The same by path, for links and special files, without following the last component.
Result<std::optional<std::string>> lgetxattr(std::string const& path, char const* name);
Result<std::vector<std::string>> llistxattr(std::string const& path);
// For what cannot be opened (links, devices), without following a link at the end: proc_path(dir) +
// '/' + name stays inside the folder.
Status lsetxattr(std::string const& path, char const* name, std::string_view value, int flags = 0);
Result<std::optional<std::string>> lgetxattr(std::string const& path, char const* name);
Status lremovexattr(std::string const& path, char const* name);
Result<std::vector<std::string>> llistxattr(std::string const& path);

Status syncfs(int fd);
Result<std::uint64_t> lseek(int fd, std::uint64_t offset, int whence);

struct DirEntry {
    std::string name;  // never "." or ".."
    std::uint64_t ino = 0;
    unsigned char type = 0;  // DT_*
};
// All entries, in the order of the file system. `dir` must be open for reading; its position is
// rewound first.
Result<std::vector<DirEntry>> list_dir(int dir);

// Removes a tree without following links. An absent tree is a success. Folders without permission
// for their owner are made accessible first.
Status remove_tree(int dir, char const* path);

// "/proc/self/fd/N" for calls that only take paths.
[[nodiscard]] std::string proc_path(int fd);

}  // namespace oblea::base::sys
