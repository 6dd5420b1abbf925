// SPDX-License-Identifier: MIT
// Requests about names: looking up, making, removing, renaming.
#include "fs/fuse/ops_impl.h"
#include "store/index/file_mode.h"

#include <linux/fs.h>
#include <sys/sysmacros.h>

#include <algorithm>
#include <span>

namespace oblea::fs {
namespace {

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

Result<FileType> type_of(mode_t mode) {
    FileType const type = store::type_of_mode(mode);
    if (type == FileType::directory || type == FileType::symlink) {
        return fail(Errno::einval, "mknod");
    }
    return type;
}

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

}  // namespace

void add_name_ops(fuse_lowlevel_ops& ops) {
    ops.lookup = op_lookup;
    ops.forget = op_forget;
    ops.forget_multi = op_forget_multi;
    ops.mknod = op_mknod;
    ops.mkdir = op_mkdir;
    ops.symlink = op_symlink;
    ops.link = op_link;
    ops.unlink = op_unlink;
    ops.rmdir = op_rmdir;
    ops.rename = op_rename;
}

}  // namespace oblea::fs
