// SPDX-License-Identifier: MIT
// The union: the merged tree of an image below, a copy-on-write upper layer above, seen as one file
// system.
//
// Knows nothing of FUSE; every method is one request of a kernel, and can be called in a test
// without a mount. Thread-safe: any number of requests at once, from any threads; no lock is held
// while file contents are copied, and none is global on the paths that only read the image.
//
// Coherence law: whoever reads, through whatever handle, opened before or after a copy-up, sees the
// last completed write. A read through a handle asks the inode where its bytes are now; a handle
// never pins a lower file. A lower file's descriptor is never writable.
//
// A read-only union (no upper) answers every change with EROFS. Permissions are checked by the
// kernel (default_permissions) and not here. Errors are those of the system call that the request
// stands for, unless said otherwise; EIO and EUCLEAN for a damaged image.
#pragma once
#include "fs/lower/lower_tree.h"
#include "fs/owner_map.h"
#include "fs/types.h"
#include "store/base/unique_fd.h"

#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace oblea::fs {

class UpperDir;  // fs/upper/upper_dir.h

// How owners are shown and stored.
struct Owners {
    enum class Kind {
        real,      // as the image has them; new files belong to the caller
        squashed,  // every inode belongs to uid:gid below, whoever made it; chown to anyone else is
                   // EPERM
        mapped,    // as `maps` shows them; where those squash, a change of owner succeeds and may
                   // change nothing
    } kind = Kind::real;
    std::uint32_t uid = 0;
    std::uint32_t gid = 0;
    OwnerMaps maps{};
};

// Whether copied-up files are on disk before they get their name, and fsync does anything. `no` is
// for layers that nobody wants back after a crash.
enum class Durable { no, yes };

// Whose attributes the root of an upper has that is empty and unmarked: those of the lower tree
// until they are changed, or the folder's own.
enum class FreshRoot { of_lower, of_upper };

// Which extended attributes there are.
enum class Xattrs { all, without_acls, none };

// How contents of files are copied up (file_state.h "partial").
struct CopyUpBlocks {
    std::uint64_t whole_up_to = std::uint64_t{256} << 10U;  // such files at their first write
    std::uint32_t block_bytes = std::uint32_t{128} << 10U;  // of others, and not zero
    // What becomes whole in the background: what was written to, or also what only has its
    // attributes changed; that is for uppers that must be whole at the end.
    enum class Complete { written, everything } complete = Complete::written;
};

struct UnionOptions {
    Owners owners{};
    Durable durable = Durable::yes;
    FreshRoot fresh_root = FreshRoot::of_lower;
    Xattrs xattrs = Xattrs::all;
    // The attribute in which owner and mode of files and folders are recorded instead of set (its
    // text: lower/folder_marks.h); empty: they are set.
    std::string override_xattr{};
    CopyUpBlocks blocks{};
};

enum class DataOnly { no, yes };

enum class OpenFor { reading, writing };

// Called for each entry of a folder; `next` is the position from which a later call goes on. False:
// stop, the entry was not taken.
struct DirSlot {
    std::string_view name;
    Ino ino = Ino::root;
    std::uint64_t st_ino = 1;
    FileType type = FileType::regular;
    std::uint64_t next = 0;
};
using DirSink = std::function<bool(DirSlot const&)>;
// The same with attributes; each entry that is taken, "." and ".." excepted, counts as a lookup.
using DirPlusSink = std::function<bool(DirSlot const&, Entry const&)>;

// Bytes that a read gives: a view of memory that stays valid as long as the union, or the count
// written into the buffer.
struct ReadResult {
    base::ByteView mapped{};    // not empty: these are the bytes
    std::size_t in_buffer = 0;  // else: so many bytes are in the caller's buffer
    // Those bytes, wherever they are; `buffer` is the one that the read was given.
    [[nodiscard]] base::ByteView bytes(base::ByteView buffer) const {
        return mapped.empty() ? buffer.first(in_buffer) : mapped;
    }
};

class UnionFs {
public:
    // Read-only. For an image: image_lower(view), see fs/lower/image_lower.h.
    static Result<std::unique_ptr<UnionFs>> mount(std::shared_ptr<LowerTree const> lower,
                                                  UnionOptions options);
    // Writable; brings an upper that a crash left behind into order first.
    static Result<std::unique_ptr<UnionFs>> mount(std::shared_ptr<LowerTree const> lower,
                                                  std::unique_ptr<UpperDir> upper,
                                                  UnionOptions options);
    ~UnionFs();

    // What a writable union knows that neither its upper nor its lower tree says, as descriptors.
    struct MemoryDescriptors {
        int lower_counts = -1;
        int ledger = -1;
        int upper_lock = -1;
    };
    // Writable, in a program that takes over from another one: takes the descriptors that were that
    // one's memory(), but for the lock, which the upper has (UpperDir::adopt_locked()). resume()
    // must follow.
    static Result<std::unique_ptr<UnionFs>> adopt(std::shared_ptr<LowerTree const> lower,
                                                  std::unique_ptr<UpperDir> upper,
                                                  UnionOptions options,
                                                  MemoryDescriptors const& memory);

    // Takes over in a process that was forked from the one that called mount(), before that served
    // anything, when another such process served and died: what the kernel knows goes on to exist,
    // and the tree is as the last operation left it. Not while another method runs.
    Status resume();

    // For another program to take over; they stay ours. None for a read-only union, of which
    // nothing is remembered.
    [[nodiscard]] std::optional<MemoryDescriptors> memory() const;

    [[nodiscard]] bool writable() const;

    // Says in the lock of the upper where this process has mounted, for those who find it taken.
    Status note_mount(MountPlace const& mount);
    // And that it is gone, and nobody uses it any more.
    Status note_end();

    // Makes partial files whole and brings what they have to the disk, and what the image says of
    // its files into memory, from threads of its own that end with the union, or at
    // stop_background(). In the process that serves: threads do not outlive a fork.
    Status start_background();
    void stop_background();
    // What that thread does with one inode, now. No effect on what is whole, or of the image alone.
    Status complete(Ino ino);

    // Gives the upper everything that only the work folder knows, so that any overlay understands
    // it, and empties the work folder. For a union that serves nobody any more; it must be
    // destroyed next. What was not done is done by the next call, after a crash too.
    Status seal();

    // nullopt: there is no such name, and the kernel may remember that until this process changes
    // it.
    Result<std::optional<Entry>> lookup(Ino parent, Name const& name);
    void forget(Ino ino, std::uint64_t count);
    Result<Attr> getattr(Ino ino);
    Result<Attr> setattr(Ino ino, AttrChange const& change, Caller const& caller);
    Result<std::string> readlink(Ino ino);

    Result<Entry> make(Ino parent, Name const& name, NewNode const& node, Caller const& caller);
    Result<Entry> link(Ino ino, Ino new_parent, Name const& new_name);
    Status unlink(Ino parent, Name const& name);
    Status rmdir(Ino parent, Name const& name);

    enum class RenameMode { replace, no_replace, exchange };
    Status rename(Ino parent, Name const& name, Ino new_parent, Name const& new_name,
                  RenameMode mode);

    // Opening cuts nothing: a truncation is a change of attributes.
    Result<Handle> open(Ino ino, OpenFor what);
    struct Created {
        Entry entry;
        Handle handle;
    };
    Result<Created> create(Ino parent, Name const& name, std::uint32_t permissions,
                           Caller const& caller);
    Result<Created> create_unnamed(Ino parent, std::uint32_t permissions,
                                   Caller const& caller);  // O_TMPFILE
    void release(Handle handle);

    // By inode, so that kernels that were told not to open files (no-open) can read too.
    Result<ReadResult> read(Ino ino, base::MutableBytes buffer, std::uint64_t offset);
    // Writes `data`, copying the file up first if need be; returns how much of it, which is less
    // where the file system beneath refuses the rest. Errors: when it is nothing.
    Result<std::size_t> write(Ino ino, base::ByteView data, std::uint64_t offset,
                              KillPrivileges kill_privileges = KillPrivileges::no);
    Status fsync(Ino ino, DataOnly data_only);
    Status fallocate(Ino ino, int mode, std::uint64_t offset, std::uint64_t length);
    Result<std::uint64_t> seek(Ino ino, std::uint64_t offset, int whence);  // SEEK_DATA, SEEK_HOLE
    // Likewise; less than `length` also where the source ends.
    Result<std::uint64_t> copy_range(Ino source, std::uint64_t source_offset, Ino target,
                                     std::uint64_t target_offset, std::uint64_t length);

    // Folders. Positions are stable: an entry that exists all the time is seen exactly once by a
    // reader that goes from 0 to the end, whatever is created and removed meanwhile. "." and ".."
    // come first.
    Result<Handle> opendir(Ino ino);
    void releasedir(Ino ino, Handle handle);
    Status readdir(Ino ino, Handle handle, std::uint64_t position, DirSink const& sink);
    Status readdir_plus(Ino ino, Handle handle, std::uint64_t position, DirPlusSink const& sink);
    Status fsyncdir(Ino ino);

    Result<std::optional<std::string>> getxattr(Ino ino, std::string_view name);
    Result<std::vector<std::string>> listxattr(Ino ino);
    Status setxattr(Ino ino, std::string const& name, std::string_view value, int flags);
    Status removexattr(Ino ino, std::string const& name);

    Result<StatFs> statfs();

    // Whether the inode's bytes will stay for good where they are: in the upper, or in a union that
    // is read-only.
    [[nodiscard]] bool is_settled(Ino ino) const;
    // A descriptor of a settled file through which the kernel itself may read and, when the union
    // is writable, write. Null: there is none, or writing may have to take set-user-id away.
    Result<std::shared_ptr<base::UniqueFd const>> whole_file(Ino ino);
    // How often it is open, by open() and create().
    [[nodiscard]] std::uint64_t opens(Ino ino) const;
    // Whether the upper lies on an overlay or the like.
    [[nodiscard]] bool upper_is_stacked() const;

    // How many bytes of contents were copied from the lower tree to the upper; and who is told of
    // each piece as it is copied, from any thread.
    [[nodiscard]] std::uint64_t copied_bytes() const;
    void on_copy(std::function<void(std::uint64_t bytes)> listener);

    // How many inodes need a node at the moment, for counters and tests.
    [[nodiscard]] std::size_t remembered() const;

    struct Impl;  // of the union's own sources

private:
    explicit UnionFs(std::unique_ptr<Impl> impl);
    std::unique_ptr<Impl> impl_;
};

}  // namespace oblea::fs
