// SPDX-License-Identifier: MIT
// The inside of ops.h, for its sources: the fence around every operation, and what several kinds of
// operations need.
#pragma once
#include "fs/fuse/connection.h"
#include "fs/fuse/log.h"
#include "fs/fuse/reply.h"

#include <concepts>
#include <exception>
#include <new>
#include <type_traits>

namespace oblea::fs {

// Each source's part of the table.
void add_name_ops(fuse_lowlevel_ops& ops);
void add_attribute_ops(fuse_lowlevel_ops& ops);
void add_file_ops(fuse_lowlevel_ops& ops);
void add_folder_ops(fuse_lowlevel_ops& ops);

Connection& connection_of(fuse_req_t req);
Caller caller_of(fuse_req_t req);
std::uint64_t position_of(off_t offset);

// Bytes of this thread for one reply at a time.
base::MutableBytes thread_buffer(std::size_t size);

// To be called before the file may grow: nothing of what was cut must show then.
void forget_tail(Connection& connection, Ino ino);

// Requests that are sent again may have been carried out by a server that died before it answered.
// The kernel keeps the folder locked meanwhile, and asks only for what makes sense in it: a name
// that it wants made was not there, and one that it wants gone was.

// What has that name. Errors: ENOENT.
Result<Entry> existing(UnionFs& fs, Ino parent, Name const& name);

// True once for each request: what is counted must not be counted twice, and rather not at all.
bool is_first_try(Connection& connection, Ino ino);

// Errors that a caller cannot make sense of, and an administrator should be able to.
bool worth_logging(Errno code);

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

}  // namespace oblea::fs
