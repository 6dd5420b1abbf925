// SPDX-License-Identifier: MIT
// Requests about attributes, extended ones too, and about the file system as a whole.
#include "fs/fuse/ops_impl.h"

namespace oblea::fs {
namespace {

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

// To be called before the file is cut to this size, or lengthened. What cannot be read is no
// reason not to cut it.
void keep_tail(Connection& connection, Ino ino, std::uint64_t size) {
    if (connection.backing != nullptr && connection.backing->is_kernels(ino)) {
        return;  // who reads it does not ask here
    }
    base::MutableBytes const buffer = thread_buffer(CutTails::kFileBytesMax);
    auto const read = connection.fs->read(ino, buffer, CutTails::tail_begin(size));
    base::ByteView const tail = read.has_value() ? read->bytes(buffer) : base::ByteView{};
    if (!tail.empty()) {
        connection.cut_tails.keep(ino, size, tail);
    } else {
        forget_tail(connection, ino);
    }
}

// Whether it is the truncation of an open that emptied the file already.
bool is_done(Connection& connection, Ino ino, AttrChange const& change, fuse_file_info const* info,
             pid_t thread) {
    return change.size == 0 && info == nullptr && connection.early_cuts.take_done(ino, thread);
}

void op_setattr(fuse_req_t req, fuse_ino_t ino, struct stat* attr, int to_set,
                fuse_file_info* info) noexcept {
    reply_with(req, Op::setattr, ino, [&](UnionFs& fs) -> Result<Attr> {
        AttrChange change = attr_change_of(*attr, to_set);
        if (is_done(connection_of(req), Ino{ino}, change, info, fuse_req_ctx(req)->pid)) {
            change.size = std::nullopt;
        }
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

}  // namespace

void add_attribute_ops(fuse_lowlevel_ops& ops) {
    ops.getattr = op_getattr;
    ops.setattr = op_setattr;
    ops.readlink = op_readlink;
    ops.getxattr = op_getxattr;
    ops.listxattr = op_listxattr;
    ops.setxattr = op_setxattr;
    ops.removexattr = op_removexattr;
    ops.statfs = op_statfs;
}

}  // namespace oblea::fs
