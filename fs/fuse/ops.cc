// SPDX-License-Identifier: MIT
#include "fs/fuse/ops.h"

#include "fs/fuse/log.h"
#include "fs/fuse/negotiate.h"
#include "fs/fuse/raw_messages.h"
#include "fs/fuse/reply.h"
#include "store/index/file_mode.h"

#include <fcntl.h>
#include <linux/fs.h>
#include <sys/sysmacros.h>

#include <algorithm>
#include <concepts>
#include <exception>
#include <new>
#include <span>

namespace oblea::fs {
namespace {

Connection& connection_of(fuse_req_t req) {
    return *static_cast<Connection*>(fuse_req_userdata(req));
}

// Errors that a caller cannot make sense of, and an administrator should be able to.
bool worth_logging(Errno code) {
    return code == Errno::eio || code == Errno::euclean;
}

// The fence around every operation: counts, calls, answers with the result or its errno.
template <std::invocable<Connection&> F>
void reply_with(fuse_req_t req, Op op, F&& operation) noexcept {
    Connection& connection = connection_of(req);
    connection.counters.count(op);
    try {
        auto result = operation(connection);
        if (!result.has_value()) {
            if (worth_logging(result.error().code)) {
                log_failure(op, result.error());
            }
            reply_error(req, result.error().code);
            return;
        }
        if constexpr (std::is_void_v<typename decltype(result)::value_type>) {
            reply_error(req, Errno{});  // zero: done
        } else {
            reply(req, connection, *result);
        }
    } catch (std::bad_alloc const&) {
        reply_error(req, Errno::enomem);
    } catch (std::exception const& thrown) {
        log_failure(op, {Errno::eio, "exception", thrown.what()});
        reply_error(req, Errno::eio);
    }
}

// The same for requests about an inode: one that is only a placeholder cannot be changed or opened.
template <std::invocable<UnionFs&> F>
void reply_with(fuse_req_t req, Op op, fuse_ino_t ino, F&& operation) noexcept {
    reply_with(req, op, [&](Connection& connection) -> std::invoke_result_t<F, UnionFs&> {
        if (Placeholders::owns(Ino{ino})) {
            return fail(Errno::erofs, "placeholder");
        }
        return operation(*connection.fs);
    });
}

// Requests that are sent again may have been carried out by a server that died before it answered.
// The kernel keeps the folder locked meanwhile, and asks only for what makes sense in it: a name
// that it wants made was not there, and one that it wants gone was.

Result<Entry> existing(UnionFs& fs, Ino parent, Name const& name) {
    auto const there = OBLEA_TRY(fs.lookup(parent, name));
    if (!there) {
        return fail(Errno::enoent, "lookup");
    }
    return *there;
}

template <std::invocable F>
Result<Entry> make_once(UnionFs& fs, Ino parent, Name const& name, F&& make) {
    Result<Entry> made = make();
    if (!made.has_value() && made.error().code == Errno::eexist && Connection::is_resent()) {
        return existing(fs, parent, name);
    }
    return made;
}

Status remove_once(Status removed) {
    if (!removed.has_value() && removed.error().code == Errno::enoent && Connection::is_resent()) {
        return {};
    }
    return removed;
}

// The inode that a name leads to now.
Result<std::optional<Ino>> inode_at(UnionFs& fs, Ino parent, Name const& name) {
    auto const there = OBLEA_TRY(fs.lookup(parent, name));
    if (!there) {
        return std::optional<Ino>{};
    }
    fs.forget(there->attr.ino, 1);
    return std::optional{there->attr.ino};
}

Caller caller_of(fuse_req_t req) {
    fuse_ctx const* context = fuse_req_ctx(req);
    return {.uid = context->uid, .gid = context->gid, .umask = context->umask};
}

std::uint64_t position_of(off_t offset) {
    return static_cast<std::uint64_t>(offset);
}

Result<FileType> type_of(mode_t mode) {
    FileType const type = store::type_of_mode(mode);
    if (type == FileType::directory || type == FileType::symlink) {
        return fail(Errno::einval, "mknod");
    }
    return type;
}

OpenFor open_for(fuse_file_info const& info) {
    return (info.flags & O_ACCMODE) == O_RDONLY ? OpenFor::reading : OpenFor::writing;
}

// The kernel's page cache of an inode is the one truth, before and after a copy-up, so it is kept.
fuse_file_info cached_file(fuse_file_info const& asked) {
    fuse_file_info info = asked;
    info.keep_cache = 1;
#if FUSE_VERSION >= FUSE_MAKE_VERSION(3, 11)
    info.noflush = 1;  // nothing is held back until close
#endif
    return info;
}

// How the kernel gets at the file that was just opened. Unchanged files of the image go through the
// page cache and cost no lock.
fuse_file_info opened_file(Connection& connection, Ino ino, fuse_file_info const& asked) {
    fuse_file_info info = cached_file(asked);
    UnionFs& fs = *connection.fs;
    if (connection.backing == nullptr || !fs.is_settled(ino)) {
        return info;
    }
    auto const way = connection.backing->add_open(
        ino, {.opens = [&] { return fs.opens(ino); }, .file = [&] { return fs.whole_file(ino); }});
    if (way.number != BackingFiles::kThroughCache) {
        connection.cut_tails.drop(ino);  // what the kernel writes by itself is not seen here
    }
    info.fh = kTracked;
    info.keep_cache = way.pages == BackingFiles::Way::Pages::keep ? 1 : 0;
#if FUSE_VERSION >= FUSE_MAKE_VERSION(3, 17)
    info.backing_id = way.number;
#endif
    return info;
}

CreatedFile created_file(Connection& connection, UnionFs::Created const& created,
                         fuse_file_info const& asked) {
    if (connection.mode == DataMode::no_open) {
        // The kernel will not tell when it is closed; that it knows the inode keeps it.
        connection.fs->release(created.handle);
        return {.created = created, .info = cached_file(asked)};
    }
    return {.created = created, .info = opened_file(connection, created.entry.attr.ino, asked)};
}

fuse_file_info cached_folder(fuse_file_info const& asked) {
    fuse_file_info info = asked;
    info.keep_cache = 1;
    info.cache_readdir = 1;
    return info;
}

// Bytes of this thread for one reply at a time.
base::MutableBytes thread_buffer(std::size_t size) {
    thread_local base::Bytes buffer;
    if (buffer.size() < size) {
        buffer.resize(size);
    }
    return base::MutableBytes{buffer}.first(size);
}

// Whether the writer lacks the right to keep setuid and setgid bits; known since 3.18, and the
// negotiation leaves the task to the kernel before.
KillPrivileges kill_privileges_of([[maybe_unused]] fuse_file_info const* info) {
#if FUSE_VERSION >= FUSE_MAKE_VERSION(3, 18)
    return info != nullptr && info->kill_suidgid != 0 ? KillPrivileges::yes : KillPrivileges::no;
#else
    return KillPrivileges::no;
#endif
}

// --- names and attributes

void op_lookup(fuse_req_t req, fuse_ino_t parent, char const* name) noexcept {
    reply_with(req, Op::lookup, [&](Connection& connection) -> Result<Found> {
        Name const wanted = OBLEA_TRY(Name::parse(name));
        if (!Placeholders::owns(Ino{parent})) {
            Found found{OBLEA_TRY(connection.fs->lookup(Ino{parent}, wanted))};
            if (found.entry) {
                return found;
            }
        }
        return Found{connection.placeholders.find(Ino{parent}, wanted.view())};
    });
}

void forget(Connection& connection, Ino ino, std::uint64_t count) {
    if (!Placeholders::owns(ino)) {
        connection.cut_tails.drop(ino);
        connection.fs->forget(ino, count);
    }
}

void op_forget(fuse_req_t req, fuse_ino_t ino, std::uint64_t count) noexcept {
    reply_with(req, Op::forget, [&](Connection& connection) -> Result<NoReply> {
        forget(connection, Ino{ino}, count);
        return NoReply{};
    });
}

void op_forget_multi(fuse_req_t req, std::size_t count, fuse_forget_data* forgets) noexcept {
    reply_with(req, Op::forget, [&](Connection& connection) -> Result<NoReply> {
        for (fuse_forget_data const& one : std::span{forgets, count}) {
            forget(connection, Ino{one.ino}, one.nlookup);
        }
        return NoReply{};
    });
}

void op_getattr(fuse_req_t req, fuse_ino_t ino, fuse_file_info* /*info*/) noexcept {
    reply_with(req, Op::getattr, [&](Connection& connection) -> Result<Attr> {
        if (Placeholders::owns(Ino{ino})) {
            return connection.placeholders.attr(Ino{ino});
        }
        return connection.fs->getattr(Ino{ino});
    });
}

TimePoint time_or_now(timespec const& given, bool now) {
    timespec time = given;
    if (now) {
        clock_gettime(CLOCK_REALTIME, &time);
    }
    return {.seconds = time.tv_sec, .nanoseconds = static_cast<std::uint32_t>(time.tv_nsec)};
}

AttrChange attr_change_of(struct stat const& attr, int to_set) {
    auto const wanted = [&](int bits) { return (to_set & bits) != 0; };
    AttrChange change;
    if (wanted(FUSE_SET_ATTR_MODE)) {
        change.permissions = attr.st_mode & 07777U;
    }
    if (wanted(FUSE_SET_ATTR_UID)) {
        change.uid = attr.st_uid;
    }
    if (wanted(FUSE_SET_ATTR_GID)) {
        change.gid = attr.st_gid;
    }
    if (wanted(FUSE_SET_ATTR_SIZE)) {
        change.size = position_of(attr.st_size);
    }
    if (wanted(FUSE_SET_ATTR_ATIME | FUSE_SET_ATTR_ATIME_NOW)) {
        change.atime = time_or_now(attr.st_atim, wanted(FUSE_SET_ATTR_ATIME_NOW));
    }
    if (wanted(FUSE_SET_ATTR_MTIME | FUSE_SET_ATTR_MTIME_NOW)) {
        change.mtime = time_or_now(attr.st_mtim, wanted(FUSE_SET_ATTR_MTIME_NOW));
    }
    // The protocol has one bit for both: FATTR_KILL_SUIDGID.
    if (wanted(FUSE_SET_ATTR_KILL_SUID)) {
        change.kill_privileges = KillPrivileges::yes;
    }
    return change;
}

// The bytes that a READ gives: of the image's memory, or in the buffer.
Result<base::ByteView> read_into(UnionFs& fs, Ino ino, base::MutableBytes buffer,
                                 std::uint64_t offset) {
    ReadResult const result = OBLEA_TRY(fs.read(ino, buffer, offset));
    return result.bytes(buffer);
}

// To be called before the file may grow: nothing of what was cut must show then.
void forget_tail(Connection& connection, Ino ino) {
    if (auto const given = connection.cut_tails.drop(ino)) {
        connection.stale_pages.drop(ino, *given,
                                    [device = connection.device](Ino file, Stretch pages) {
                                        notify_stale(device, file, pages);
                                    });
    }
}

// To be called before the file is cut to this size, or lengthened. What cannot be read is no
// reason not to cut it.
void keep_tail(Connection& connection, Ino ino, std::uint64_t size) {
    if (connection.backing != nullptr && connection.backing->is_kernels(ino)) {
        return;  // who reads it does not ask here
    }
    auto const tail = read_into(*connection.fs, ino, thread_buffer(CutTails::kFileBytesMax),
                                CutTails::tail_begin(size));
    if (tail.has_value() && !tail->empty()) {
        connection.cut_tails.keep(ino, size, *tail);
    } else {
        forget_tail(connection, ino);
    }
}

void op_setattr(fuse_req_t req, fuse_ino_t ino, struct stat* attr, int to_set,
                fuse_file_info* /*info*/) noexcept {
    reply_with(req, Op::setattr, ino, [&](UnionFs& fs) -> Result<Attr> {
        AttrChange const change = attr_change_of(*attr, to_set);
        if (change.size.has_value()) {
            keep_tail(connection_of(req), Ino{ino}, *change.size);
        }
        return fs.setattr(Ino{ino}, change, caller_of(req));
    });
}

void op_readlink(fuse_req_t req, fuse_ino_t ino) noexcept {
    reply_with(req, Op::readlink, ino,
               [&](UnionFs& fs) -> Result<std::string> { return fs.readlink(Ino{ino}); });
}

// --- making and removing names

Result<Entry> make_named(UnionFs& fs, fuse_req_t req, fuse_ino_t parent, char const* name,
                         NewNode const& node) {
    Name const wanted = OBLEA_TRY(Name::parse(name));
    return make_once(fs, Ino{parent}, wanted,
                     [&] { return fs.make(Ino{parent}, wanted, node, caller_of(req)); });
}

void op_mknod(fuse_req_t req, fuse_ino_t parent, char const* name, mode_t mode,
              dev_t device) noexcept {
    reply_with(req, Op::mknod, parent, [&](UnionFs& fs) -> Result<Entry> {
        NewNode node;
        node.type = OBLEA_TRY(type_of(mode));
        node.permissions = mode & 07777U;
        node.device = {.major = major(device), .minor = minor(device)};
        return make_named(fs, req, parent, name, node);
    });
}

void op_mkdir(fuse_req_t req, fuse_ino_t parent, char const* name, mode_t mode) noexcept {
    reply_with(req, Op::mkdir, parent, [&](UnionFs& fs) -> Result<Entry> {
        NewNode node;
        node.type = FileType::directory;
        node.permissions = mode & 07777U;
        return make_named(fs, req, parent, name, node);
    });
}

void op_symlink(fuse_req_t req, char const* target, fuse_ino_t parent, char const* name) noexcept {
    reply_with(req, Op::symlink, parent, [&](UnionFs& fs) -> Result<Entry> {
        NewNode node;
        node.type = FileType::symlink;
        node.permissions = 0777;
        node.symlink_target = target;
        return make_named(fs, req, parent, name, node);
    });
}

void op_link(fuse_req_t req, fuse_ino_t ino, fuse_ino_t new_parent, char const* name) noexcept {
    reply_with(req, Op::link, std::max(ino, new_parent), [&](UnionFs& fs) -> Result<Entry> {
        Name const wanted = OBLEA_TRY(Name::parse(name));
        return make_once(fs, Ino{new_parent}, wanted,
                         [&] { return fs.link(Ino{ino}, Ino{new_parent}, wanted); });
    });
}

void op_unlink(fuse_req_t req, fuse_ino_t parent, char const* name) noexcept {
    reply_with(req, Op::unlink, parent, [&](UnionFs& fs) -> Status {
        return remove_once(fs.unlink(Ino{parent}, OBLEA_TRY(Name::parse(name))));
    });
}

void op_rmdir(fuse_req_t req, fuse_ino_t parent, char const* name) noexcept {
    reply_with(req, Op::rmdir, parent, [&](UnionFs& fs) -> Status {
        return remove_once(fs.rmdir(Ino{parent}, OBLEA_TRY(Name::parse(name))));
    });
}

Result<UnionFs::RenameMode> rename_mode_of(unsigned flags) {
    switch (flags) {
    case 0:
        return UnionFs::RenameMode::replace;
    case RENAME_NOREPLACE:
        return UnionFs::RenameMode::no_replace;
    case RENAME_EXCHANGE:
        return UnionFs::RenameMode::exchange;
    default:
        return fail(Errno::einval, "rename");
    }
}

// Whether a dead server carried out this rename: the source's name is gone, or leads to what was
// noted no more.
Result<bool> is_renamed(Connection& connection, Ino parent, Name const& name,
                        UnionFs::RenameMode mode) {
    if (!Connection::is_resent()) {
        return false;
    }
    auto const source = OBLEA_TRY(inode_at(*connection.fs, parent, name));
    if (mode != UnionFs::RenameMode::exchange) {
        return !source.has_value();
    }
    auto const noted = connection.in_hand.noted(Connection::request);
    return noted.has_value() && source != noted;
}

void op_rename(fuse_req_t req, fuse_ino_t parent, char const* name, fuse_ino_t new_parent,
               char const* new_name, unsigned flags) noexcept {
    reply_with(req, Op::rename, std::max(parent, new_parent), [&](UnionFs& fs) -> Status {
        auto const mode = OBLEA_TRY(rename_mode_of(flags));
        Name const source = OBLEA_TRY(Name::parse(name));
        Name const target = OBLEA_TRY(Name::parse(new_name));
        Connection& connection = connection_of(req);
        if (OBLEA_TRY(is_renamed(connection, Ino{parent}, source, mode))) {
            return {};
        }
        if (mode == UnionFs::RenameMode::exchange) {
            if (auto const moving = OBLEA_TRY(inode_at(fs, Ino{parent}, source))) {
                connection.in_hand.note(*moving);
            }
        }
        return fs.rename(Ino{parent}, source, Ino{new_parent}, target, mode);
    });
}

// --- files

void op_open(fuse_req_t req, fuse_ino_t ino, fuse_file_info* info) noexcept {
    reply_with(req, Op::open, ino, [&](UnionFs& fs) -> Result<Opened> {
        Connection& connection = connection_of(req);
        if (connection.mode == DataMode::no_open) {
            return fail(Errno::enosys, "open");  // from now on the kernel does not ask
        }
        // What O_TRUNC asks for comes as a SETATTR (negotiate.cc).
        Handle const handle = OBLEA_TRY(fs.open(Ino{ino}, open_for(*info)));
        return Opened{
            .ino = Ino{ino}, .handle = handle, .info = opened_file(connection, Ino{ino}, *info)};
    });
}

Result<UnionFs::Created> open_existing(UnionFs& fs, Ino parent, Name const& name, OpenFor what) {
    Entry const entry = OBLEA_TRY(existing(fs, parent, name));
    auto const handle = fs.open(entry.attr.ino, what);
    if (!handle.has_value()) {
        fs.forget(entry.attr.ino, 1);
        return std::unexpected<Error>(handle.error());
    }
    return UnionFs::Created{.entry = entry, .handle = *handle};
}

void op_create(fuse_req_t req, fuse_ino_t parent, char const* name, mode_t mode,
               fuse_file_info* info) noexcept {
    reply_with(req, Op::create, parent, [&](UnionFs& fs) -> Result<CreatedFile> {
        Name const wanted = OBLEA_TRY(Name::parse(name));
        auto created = fs.create(Ino{parent}, wanted, mode & 07777U, caller_of(req));
        if (!created.has_value() && created.error().code == Errno::eexist &&
            Connection::is_resent()) {
            created = open_existing(fs, Ino{parent}, wanted, open_for(*info));
        }
        return created_file(connection_of(req), OBLEA_TRY(std::move(created)), *info);
    });
}

// Older ones answer ENOSYS, which programs see as EOPNOTSUPP, as on file systems without it.
#if FUSE_VERSION >= FUSE_MAKE_VERSION(3, 17)
void op_tmpfile(fuse_req_t req, fuse_ino_t parent, mode_t mode, fuse_file_info* info) noexcept {
    reply_with(req, Op::tmpfile, parent, [&](UnionFs& fs) -> Result<CreatedFile> {
        auto created = OBLEA_TRY(fs.create_unnamed(Ino{parent}, mode & 07777U, caller_of(req)));
        return created_file(connection_of(req), created, *info);
    });
}
#endif

void op_read(fuse_req_t req, fuse_ino_t ino, std::size_t size, off_t offset,
             fuse_file_info* info) noexcept {
    reply_with(req, Op::read, ino, [&](UnionFs& fs) -> Result<base::ByteView> {
        base::MutableBytes const buffer = thread_buffer(size);
        auto const bytes = OBLEA_TRY(read_into(fs, Ino{ino}, buffer, position_of(offset)));
        if (bytes.size() == size || bytes.data() != buffer.data() ||
            (info->flags & O_DIRECT) != 0) {
            return bytes;  // not of a file that was cut, or not for a page that zeros would fill up
        }
        return base::ByteView{buffer.first(connection_of(req).cut_tails.complete(
            Ino{ino}, position_of(offset), buffer, bytes.size()))};
    });
}

void op_write(fuse_req_t req, fuse_ino_t ino, char const* data, std::size_t size, off_t offset,
              fuse_file_info* info) noexcept {
    reply_with(req, Op::write, ino, [&](UnionFs& fs) -> Result<Written> {
        forget_tail(connection_of(req), Ino{ino});
        return Written{OBLEA_TRY(fs.write(Ino{ino}, base::bytes_of({data, size}),
                                          position_of(offset), kill_privileges_of(info)))};
    });
}

// True once for each request: what is counted must not be counted twice, and rather not at all.
bool is_first_try(Connection& connection, Ino ino) {
    if (Connection::is_resent() && connection.in_hand.noted(Connection::request).has_value()) {
        return false;
    }
    connection.in_hand.note(ino);
    return true;
}

void op_release(fuse_req_t req, fuse_ino_t ino, fuse_file_info* info) noexcept {
    reply_with(req, Op::release, ino, [&](UnionFs&) -> Status {
        Connection& connection = connection_of(req);
        if (is_first_try(connection, Ino{ino})) {
            end_open(connection, Ino{ino}, *info);
        }
        return {};
    });
}

void op_fsync(fuse_req_t req, fuse_ino_t ino, int data_only, fuse_file_info* /*info*/) noexcept {
    reply_with(req, Op::fsync, ino, [&](UnionFs& fs) -> Status {
        return fs.fsync(Ino{ino}, data_only != 0 ? DataOnly::yes : DataOnly::no);
    });
}

void op_fallocate(fuse_req_t req, fuse_ino_t ino, int mode, off_t offset, off_t length,
                  fuse_file_info* /*info*/) noexcept {
    reply_with(req, Op::fallocate, ino, [&](UnionFs& fs) -> Status {
        forget_tail(connection_of(req), Ino{ino});
        return fs.fallocate(Ino{ino}, mode, position_of(offset), position_of(length));
    });
}

void op_lseek(fuse_req_t req, fuse_ino_t ino, off_t offset, int whence,
              fuse_file_info* /*info*/) noexcept {
    reply_with(req, Op::lseek, ino, [&](UnionFs& fs) -> Result<Offset> {
        return Offset{OBLEA_TRY(fs.seek(Ino{ino}, position_of(offset), whence))};
    });
}

void op_copy_file_range(fuse_req_t req, fuse_ino_t source, off_t source_offset,
                        fuse_file_info* /*source_info*/, fuse_ino_t target, off_t target_offset,
                        fuse_file_info* /*target_info*/, std::size_t length, int flags) noexcept {
    reply_with(req, Op::copy_file_range, std::max(source, target),
               [&](UnionFs& fs) -> Result<Written> {
                   if (flags != 0) {
                       return fail(Errno::einval, "copy_file_range");
                   }
                   forget_tail(connection_of(req), Ino{target});
                   return Written{
                       OBLEA_TRY(fs.copy_range(Ino{source}, position_of(source_offset), Ino{target},
                                               position_of(target_offset), length))};
               });
}

// --- folders

// Folders that are only placeholders are empty, and can be opened: runtimes do so to mount on them.
void op_opendir(fuse_req_t req, fuse_ino_t ino, fuse_file_info* info) noexcept {
    if (Placeholders::owns(Ino{ino})) {
        reply_with(req, Op::opendir, [&](Connection& /*connection*/) -> Result<Opened> {
            return Opened{
                .ino = Ino{ino}, .handle = {}, .what = Opened::What::placeholder, .info = *info};
        });
        return;
    }
    reply_with(req, Op::opendir, ino, [&](UnionFs& fs) -> Result<Opened> {
        if (!fs.writable() && connection_of(req).mode == DataMode::no_open) {
            return fail(Errno::enosys, "opendir");
        }
        return Opened{.ino = Ino{ino},
                      .handle = OBLEA_TRY(fs.opendir(Ino{ino})),
                      .what = Opened::What::folder,
                      .info = cached_folder(*info)};
    });
}

void op_releasedir(fuse_req_t req, fuse_ino_t ino, fuse_file_info* info) noexcept {
    if (Placeholders::owns(Ino{ino})) {
        reply_with(req, Op::releasedir, [](Connection& /*connection*/) -> Status { return {}; });
        return;
    }
    reply_with(req, Op::releasedir, ino, [&](UnionFs& fs) -> Status {
        if (is_first_try(connection_of(req), Ino{ino})) {
            fs.releasedir(Ino{ino}, Handle{info->fh});
        }
        return {};
    });
}

// Puts entries one after the other into a buffer, as libfuse lays them out.
struct FolderWriter {
    fuse_req_t req;
    base::MutableBytes room;
    std::size_t used = 0;

    [[nodiscard]] char* at() const { return reinterpret_cast<char*>(room.data()) + used; }
    // Counts an entry of `bytes` as written if it did fit.
    [[nodiscard]] bool take(std::size_t bytes) {
        if (bytes > room.size() - used) {
            return false;
        }
        used += bytes;
        return true;
    }
};

// An entry's name must end with NUL; a slot's is a view.
char const* terminated(std::string_view name) {
    thread_local std::string buffer;
    buffer.assign(name);
    return buffer.c_str();
}

Result<FolderPart> empty_folder(Connection& /*connection*/) {
    return FolderPart{};
}

void op_readdir(fuse_req_t req, fuse_ino_t ino, std::size_t size, off_t position,
                fuse_file_info* info) noexcept {
    if (Placeholders::owns(Ino{ino})) {
        reply_with(req, Op::readdir, empty_folder);
        return;
    }
    reply_with(req, Op::readdir, ino, [&](UnionFs& fs) -> Result<FolderPart> {
        FolderWriter writer{.req = req, .room = thread_buffer(size)};
        OBLEA_TRY(
            fs.readdir(Ino{ino}, Handle{info->fh}, position_of(position), [&](DirSlot const& slot) {
                Attr attr;
                attr.st_ino = slot.st_ino;
                attr.type = slot.type;
                struct stat const st = stat_of(attr);
                return writer.take(
                    fuse_add_direntry(req, writer.at(), writer.room.size() - writer.used,
                                      terminated(slot.name), &st, static_cast<off_t>(slot.next)));
            }));
        return FolderPart{.bytes = writer.room.first(writer.used), .counted = {}};
    });
}

// "." and ".." go without a node: the kernel would else count a lookup of them.
fuse_entry_param plus_param(DirSlot const& slot, Entry const& entry) {
    if (slot.name == "." || slot.name == "..") {
        Attr attr;
        attr.st_ino = slot.st_ino;
        attr.type = slot.type;
        fuse_entry_param param{};
        param.attr = stat_of(attr);
        return param;
    }
    return param_of(entry);
}

void op_readdirplus(fuse_req_t req, fuse_ino_t ino, std::size_t size, off_t position,
                    fuse_file_info* info) noexcept {
    if (Placeholders::owns(Ino{ino})) {
        reply_with(req, Op::readdirplus, empty_folder);
        return;
    }
    reply_with(req, Op::readdirplus, ino, [&](UnionFs& fs) -> Result<FolderPart> {
        FolderWriter writer{.req = req, .room = thread_buffer(size)};
        FolderPart part;
        OBLEA_TRY(fs.readdir_plus(Ino{ino}, Handle{info->fh}, position_of(position),
                                  [&](DirSlot const& slot, Entry const& entry) {
                                      fuse_entry_param const param = plus_param(slot, entry);
                                      bool const taken = writer.take(fuse_add_direntry_plus(
                                          req, writer.at(), writer.room.size() - writer.used,
                                          terminated(slot.name), &param,
                                          static_cast<off_t>(slot.next)));
                                      if (taken && param.ino != 0) {
                                          part.counted.push_back(entry.attr.ino);
                                      }
                                      return taken;
                                  }));
        part.bytes = writer.room.first(writer.used);
        return part;
    });
}

void op_fsyncdir(fuse_req_t req, fuse_ino_t ino, int /*data_only*/,
                 fuse_file_info* /*info*/) noexcept {
    reply_with(req, Op::fsyncdir, ino,
               [&](UnionFs& fs) -> Status { return fs.fsyncdir(Ino{ino}); });
}

// --- extended attributes, and the rest

void op_getxattr(fuse_req_t req, fuse_ino_t ino, char const* name, std::size_t size) noexcept {
    reply_with(req, Op::getxattr, [&](Connection& connection) -> Result<XattrBytes> {
        if (Placeholders::owns(Ino{ino})) {
            return fail(Errno::enodata, "getxattr");
        }
        auto value = OBLEA_TRY(connection.fs->getxattr(Ino{ino}, name));
        if (!value) {
            return fail(Errno::enodata, "getxattr");
        }
        return XattrBytes{.bytes = *std::move(value), .room = size};
    });
}

void op_listxattr(fuse_req_t req, fuse_ino_t ino, std::size_t size) noexcept {
    reply_with(req, Op::listxattr, [&](Connection& connection) -> Result<XattrBytes> {
        XattrBytes list{.bytes = {}, .room = size};
        if (Placeholders::owns(Ino{ino})) {
            return list;
        }
        for (std::string const& name : OBLEA_TRY(connection.fs->listxattr(Ino{ino}))) {
            list.bytes += name;
            list.bytes += '\0';
        }
        return list;
    });
}

void op_setxattr(fuse_req_t req, fuse_ino_t ino, char const* name, char const* value,
                 std::size_t size, int flags) noexcept {
    reply_with(req, Op::setxattr, ino, [&](UnionFs& fs) -> Status {
        auto set = fs.setxattr(Ino{ino}, name, {value, size}, flags);
        if (!set.has_value() && set.error().code == Errno::eexist && Connection::is_resent() &&
            OBLEA_TRY(fs.getxattr(Ino{ino}, name)) == std::string_view{value, size}) {
            return {};
        }
        return set;
    });
}

void op_removexattr(fuse_req_t req, fuse_ino_t ino, char const* name) noexcept {
    reply_with(req, Op::removexattr, ino, [&](UnionFs& fs) -> Status {
        auto removed = fs.removexattr(Ino{ino}, name);
        if (!removed.has_value() && removed.error().code == Errno::enodata &&
            Connection::is_resent()) {
            return {};
        }
        return removed;
    });
}

void op_statfs(fuse_req_t req, fuse_ino_t /*ino*/) noexcept {
    reply_with(req, Op::statfs,
               [&](Connection& connection) -> Result<StatFs> { return connection.fs->statfs(); });
}

void op_ioctl(fuse_req_t req, fuse_ino_t /*ino*/, unsigned /*command*/, void* /*argument*/,
              fuse_file_info* /*info*/, unsigned /*flags*/, void const* /*in*/,
              std::size_t /*in_bytes*/, std::size_t /*out_bytes*/) noexcept {
    reply_with(req, Op::ioctl, [](Connection&) -> Status { return fail(Errno::enotty, "ioctl"); });
}

void op_init(void* connection, fuse_conn_info* info) noexcept {
    negotiate(*static_cast<Connection*>(connection), *info);
}

}  // namespace

// No flush (answered ENOSYS once by libfuse, and not asked again), no locks (the kernel's own).
fuse_lowlevel_ops operations() {
    fuse_lowlevel_ops ops{};
    ops.init = op_init;
    ops.lookup = op_lookup;
    ops.forget = op_forget;
    ops.forget_multi = op_forget_multi;
    ops.getattr = op_getattr;
    ops.setattr = op_setattr;
    ops.readlink = op_readlink;
    ops.mknod = op_mknod;
    ops.mkdir = op_mkdir;
    ops.symlink = op_symlink;
    ops.link = op_link;
    ops.unlink = op_unlink;
    ops.rmdir = op_rmdir;
    ops.rename = op_rename;
    ops.open = op_open;
    ops.create = op_create;
#if FUSE_VERSION >= FUSE_MAKE_VERSION(3, 17)
    ops.tmpfile = op_tmpfile;
#endif
    ops.read = op_read;
    ops.write = op_write;
    ops.release = op_release;
    ops.fsync = op_fsync;
    ops.fallocate = op_fallocate;
    ops.lseek = op_lseek;
    ops.copy_file_range = op_copy_file_range;
    ops.opendir = op_opendir;
    ops.releasedir = op_releasedir;
    ops.readdir = op_readdir;
    ops.readdirplus = op_readdirplus;
    ops.fsyncdir = op_fsyncdir;
    ops.getxattr = op_getxattr;
    ops.listxattr = op_listxattr;
    ops.setxattr = op_setxattr;
    ops.removexattr = op_removexattr;
    ops.statfs = op_statfs;
    ops.ioctl = op_ioctl;
    return ops;
}

}  // namespace oblea::fs
