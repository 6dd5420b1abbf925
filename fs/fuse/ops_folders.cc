// SPDX-License-Identifier: MIT
// Requests about folders: opening, listing, closing.
#include "fs/fuse/ops_impl.h"
#include "store/index/file_mode.h"

#include <linux/fuse.h>

#include <algorithm>
#include <cstring>

namespace oblea::fs {
namespace {

fuse_file_info cached_folder(fuse_file_info const& asked) {
    fuse_file_info info = asked;
    info.keep_cache = 1;
    info.cache_readdir = 1;
    return info;
}

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

// Puts entries one after the other into a buffer, as the kernel reads them.
struct FolderWriter {
    fuse_req_t req;
    base::MutableBytes room;
    std::size_t used = 0;

    // Spec: linux/fuse.h, fuse_dirent. Not by libfuse, which is given all attributes for the two
    // that go in, and a name that ends with NUL: of a large folder that is a third of the work.
    [[nodiscard]] bool add(DirSlot const& slot) {
        fuse_dirent const head{.ino = slot.st_ino,
                               .off = slot.next,
                               .namelen = static_cast<std::uint32_t>(slot.name.size()),
                               .type = store::mode_of(slot.type) >> 12U};
        base::MutableBytes const free = room.subspan(used);
        std::size_t const end = FUSE_NAME_OFFSET + slot.name.size();
        if (!take(FUSE_DIRENT_ALIGN(end))) {
            return false;
        }
        std::memcpy(free.data(), &head, FUSE_NAME_OFFSET);
        std::memcpy(free.data() + FUSE_NAME_OFFSET, slot.name.data(), slot.name.size());
        std::fill(free.data() + end, room.data() + used, std::byte{});
        return true;
    }
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
        OBLEA_TRY(fs.readdir(Ino{ino}, Handle{info->fh}, position_of(position),
                             [&](DirSlot const& slot) { return writer.add(slot); }));
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

}  // namespace

void add_folder_ops(fuse_lowlevel_ops& ops) {
    ops.opendir = op_opendir;
    ops.releasedir = op_releasedir;
    ops.readdir = op_readdir;
    ops.readdirplus = op_readdirplus;
    ops.fsyncdir = op_fsyncdir;
}

}  // namespace oblea::fs
