// SPDX-License-Identifier: MIT
// Requests about files: opening, reading, writing, closing.
#include "fs/fuse/ops_impl.h"
#include "fs/fuse/raw_messages.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>

namespace oblea::fs {
namespace {

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
// page cache and cost no lock. `others`: who may have it open by the cache that is not in the table
// of backing files.
enum class Others : std::uint8_t { maybe, none };
fuse_file_info opened_file(Connection& connection, Ino ino, fuse_file_info const& asked,
                           Others others = Others::maybe) {
    fuse_file_info info = cached_file(asked);
    UnionFs& fs = *connection.fs;
    if (connection.backing == nullptr || !fs.is_settled(ino)) {
        return info;
    }
    auto const way = connection.backing->add_open(
        ino, {.opens = [&] { return others == Others::none ? 1 : fs.opens(ino); },
              .file = [&] { return fs.whole_file(ino); }});
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

// Asking what a program is about costs 6 us, and pays from the second page or so that it writes.
constexpr std::uint64_t kEmptiedBytesMin = std::uint64_t{64} << 10U;

bool may_be_emptied(Connection const& connection, Ino ino, fuse_file_info const& asked) {
    UnionFs& fs = *connection.fs;
    if (connection.backing == nullptr || open_for(asked) == OpenFor::reading ||
        fs.is_settled(ino)) {
        return false;
    }
    auto const attr = fs.getattr(ino);
    // Those whose writers may have to take set-user-id away are not for the kernel.
    return attr.has_value() && attr->size >= kEmptiedBytesMin &&
           (attr->permissions & (S_ISUID | S_ISGID)) == 0;
}

// How the file that was just opened is handed out. One that is opened with O_TRUNC, by all that can
// be told, is emptied before, so that the kernel can have it.
fuse_file_info opened_or_emptied(Connection& connection, Ino ino, fuse_file_info const& asked,
                                 fuse_ctx const& caller) {
    connection.early_cuts.wait_for_others(ino);
    if (!may_be_emptied(connection, ino, asked) ||
        !connection.openers.will_empty(caller.pid, asked.flags)) {
        return opened_file(connection, ino, asked);
    }
    auto const alone = connection.early_cuts.enter(ino);
    if (!alone.has_value()) {
        // Another one is opening it, and neither of them is the only one.
        connection.early_cuts.wait_for_others(ino);
        return opened_file(connection, ino, asked);
    }
    if (connection.fs->opens(ino) != 1) {
        return opened_file(connection, ino, asked);
    }
    // What fails is tried again by the truncation that follows.
    bool const is_empty = connection.fs
                              ->setattr(ino, {.size = 0, .alone = AttrChange::Alone::yes},
                                        {.uid = caller.uid, .gid = caller.gid})
                              .has_value();
    notify_attributes(connection.device, ino);
    // Those who were counted since wait, and are not in any way yet.
    fuse_file_info info = opened_file(connection, ino, asked, Others::none);
    if (is_empty && connection.backing->is_kernels(ino)) {
        connection.early_cuts.add_done(ino, caller.pid);
        info.fh |= kCutEarly;
    }
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

// Whether the writer lacks the right to keep setuid and setgid bits; known since 3.18, and the
// negotiation leaves the task to the kernel before.
KillPrivileges kill_privileges_of([[maybe_unused]] fuse_file_info const* info) {
#if FUSE_VERSION >= FUSE_MAKE_VERSION(3, 18)
    return info != nullptr && info->kill_suidgid != 0 ? KillPrivileges::yes : KillPrivileges::no;
#else
    return KillPrivileges::no;
#endif
}

void op_open(fuse_req_t req, fuse_ino_t ino, fuse_file_info* info) noexcept {
    reply_with(req, Op::open, ino, [&](UnionFs& fs) -> Result<Opened> {
        Connection& connection = connection_of(req);
        if (connection.mode == DataMode::no_open) {
            return fail(Errno::enosys, "open");  // from now on the kernel does not ask
        }
        // What O_TRUNC asks for comes as a SETATTR (negotiate.cc).
        Handle const handle = OBLEA_TRY(fs.open(Ino{ino}, open_for(*info)));
        return Opened{.ino = Ino{ino},
                      .handle = handle,
                      .info = opened_or_emptied(connection, Ino{ino}, *info, *fuse_req_ctx(req))};
    });
}

Result<UnionFs::Created> open_existing(Connection& connection, Ino parent, Name const& name,
                                       OpenFor what) {
    UnionFs& fs = *connection.fs;
    Entry const entry = OBLEA_TRY(existing(fs, parent, name));
    auto const handle = fs.open(entry.attr.ino, what);
    if (!handle.has_value()) {
        fs.forget(entry.attr.ino, 1);
        return std::unexpected<Error>(handle.error());
    }
    connection.early_cuts.wait_for_others(entry.attr.ino);
    return UnionFs::Created{.entry = entry, .handle = *handle};
}

void op_tmpfile(fuse_req_t req, fuse_ino_t parent, mode_t mode, fuse_file_info* info) noexcept {
    reply_with(req, Op::tmpfile, parent, [&](UnionFs& fs) -> Result<CreatedFile> {
        auto created = OBLEA_TRY(fs.create_unnamed(Ino{parent}, mode & 07777U, caller_of(req)));
        return created_file(connection_of(req), created, *info);
    });
}

void op_create(fuse_req_t req, fuse_ino_t parent, char const* name, mode_t mode,
               fuse_file_info* info) noexcept {
    if (is_tmpfile(name)) {
        op_tmpfile(req, parent, mode, info);
        return;
    }
    reply_with(req, Op::create, parent, [&](UnionFs& fs) -> Result<CreatedFile> {
        Name const wanted = OBLEA_TRY(Name::parse(name));
        auto created = fs.create(Ino{parent}, wanted, mode & 07777U, caller_of(req));
        if (!created.has_value() && created.error().code == Errno::eexist &&
            Connection::is_resent()) {
            created = open_existing(connection_of(req), Ino{parent}, wanted, open_for(*info));
        }
        return created_file(connection_of(req), OBLEA_TRY(std::move(created)), *info);
    });
}

void op_read(fuse_req_t req, fuse_ino_t ino, std::size_t size, off_t offset,
             fuse_file_info* info) noexcept {
    reply_with(req, Op::read, ino, [&](UnionFs& fs) -> Result<base::ByteView> {
        base::MutableBytes const buffer = thread_buffer(size);
        ReadResult const read = OBLEA_TRY(fs.read(Ino{ino}, buffer, position_of(offset)));
        base::ByteView const bytes = read.bytes(buffer);
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

void op_ioctl(fuse_req_t req, fuse_ino_t /*ino*/, unsigned /*command*/, void* /*argument*/,
              fuse_file_info* /*info*/, unsigned /*flags*/, void const* /*in*/,
              std::size_t /*in_bytes*/, std::size_t /*out_bytes*/) noexcept {
    reply_with(req, Op::ioctl, [](Connection&) -> Status { return fail(Errno::enotty, "ioctl"); });
}

}  // namespace

void add_file_ops(fuse_lowlevel_ops& ops) {
    ops.open = op_open;
    ops.create = op_create;
    ops.read = op_read;
    ops.write = op_write;
    ops.release = op_release;
    ops.fsync = op_fsync;
    ops.fallocate = op_fallocate;
    ops.lseek = op_lseek;
    ops.copy_file_range = op_copy_file_range;
    ops.ioctl = op_ioctl;
}

}  // namespace oblea::fs
