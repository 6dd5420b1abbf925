// SPDX-License-Identifier: MIT
#include "fs/fuse/ops.h"

#include "fs/fuse/negotiate.h"
#include "fs/fuse/ops_impl.h"
#include "fs/fuse/raw_messages.h"

namespace oblea::fs {

Connection& connection_of(fuse_req_t req) {
    return *static_cast<Connection*>(fuse_req_userdata(req));
}

Caller caller_of(fuse_req_t req) {
    fuse_ctx const* context = fuse_req_ctx(req);
    return {.uid = context->uid, .gid = context->gid, .umask = context->umask};
}

std::uint64_t position_of(off_t offset) {
    return static_cast<std::uint64_t>(offset);
}

base::MutableBytes thread_buffer(std::size_t size) {
    if (RingSlot* const slot = RingSlot::current; slot != nullptr) {
        if (base::MutableBytes const room = slot->room(size); !room.empty()) {
            return room;
        }
    }
    thread_local base::Bytes buffer;
    if (buffer.size() < size) {
        buffer.resize(size);
    }
    return base::MutableBytes{buffer}.first(size);
}

void forget_tail(Connection& connection, Ino ino) {
    if (auto const given = connection.cut_tails.drop(ino)) {
        connection.stale_pages.drop(ino, *given,
                                    [device = connection.device](Ino file, Stretch pages) {
                                        notify_stale(device, file, pages);
                                    });
    }
}

Result<Entry> existing(UnionFs& fs, Ino parent, Name const& name) {
    auto const there = OBLEA_TRY(fs.lookup(parent, name));
    if (!there) {
        return fail(Errno::enoent, "lookup");
    }
    return *there;
}

bool is_first_try(Connection& connection, Ino ino) {
    if (Connection::is_resent() && connection.in_hand.noted(Connection::request).has_value()) {
        return false;
    }
    connection.in_hand.note(ino);
    return true;
}

bool worth_logging(Errno code) {
    return code == Errno::eio || code == Errno::euclean;
}

namespace {

void op_init(void* connection, fuse_conn_info* info) noexcept {
    negotiate(*static_cast<Connection*>(connection), *info);
}

}  // namespace

// No flush (answered ENOSYS once by libfuse, and not asked again), no locks (the kernel's own).
fuse_lowlevel_ops operations() {
    fuse_lowlevel_ops ops{};
    ops.init = op_init;
    add_name_ops(ops);
    add_attribute_ops(ops);
    add_file_ops(ops);
    add_folder_ops(ops);
    return ops;
}

}  // namespace oblea::fs
