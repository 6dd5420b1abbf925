// SPDX-License-Identifier: MIT
#include "fs/fuse/reply.h"

#include "fs/fuse/log.h"
#include "fs/fuse/raw_messages.h"
#include "store/index/file_mode.h"

#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/sysmacros.h>

namespace oblea::fs {
namespace {

// Only this process changes what is mounted, so what the kernel has learnt stays right until it
// changes it itself by a request. Far enough, and within every clock that converts it.
constexpr double kForeverSeconds = 1e9;

timespec timespec_of(TimePoint time) {
    return {.tv_sec = time.seconds, .tv_nsec = static_cast<long>(time.nanoseconds)};
}

void forget_one(Connection& connection, Ino ino) {
    if (!Placeholders::owns(ino)) {
        connection.fs->forget(ino, 1);
    }
}

int reply_bytes(fuse_req_t req, base::ByteView bytes) {
    std::string_view const text = base::text_of(bytes);
    return fuse_reply_buf(req, text.data(), text.size());  // NOLINT: the size goes with it
}

fuse_file_info with_handle(fuse_file_info info, Handle handle) {
    info.fh |= std::to_underlying(handle);
    return info;
}

}  // namespace

void end_open(Connection& connection, Ino ino, fuse_file_info const& info) {
    if (connection.mode == DataMode::no_open) {
        return;  // nothing was counted
    }
    auto const release = [&] { connection.fs->release(Handle{info.fh & ~(kTracked | kCutEarly)}); };
    if ((info.fh & kCutEarly) != 0 && connection.early_cuts.never_came(ino)) {
        // The program was ended before it truncated. What the kernel has been told about the file
        // since, by answers from before it was emptied, is all that it knows.
        notify_attributes(connection.device, ino);
    }
    if ((info.fh & kTracked) != 0) {
        connection.backing->end_open(ino, release);
    } else {
        release();
    }
}

struct stat stat_of(Attr const& attr) {
    struct stat st{};
    st.st_ino = attr.st_ino;
    st.st_mode = store::mode_of(attr.type) | (attr.permissions & 07777U);
    st.st_nlink = attr.nlink;
    st.st_uid = attr.uid;
    st.st_gid = attr.gid;
    st.st_size = static_cast<off_t>(attr.size);
    st.st_blocks = static_cast<blkcnt_t>(attr.blocks_512);
    st.st_blksize = 4096;
    st.st_rdev = makedev(attr.device.major, attr.device.minor);
    st.st_atim = timespec_of(attr.atime);
    st.st_mtim = timespec_of(attr.mtime);
    st.st_ctim = timespec_of(attr.ctime);
    return st;
}

fuse_entry_param param_of(Entry const& entry) {
    fuse_entry_param param{};
    param.ino = std::to_underlying(entry.attr.ino);
    param.generation = entry.generation;
    param.attr = stat_of(entry.attr);
    param.attr_timeout = kForeverSeconds;
    param.entry_timeout = kForeverSeconds;
    return param;
}

thread_local std::uint64_t Connection::request = 0;

// The return value of a libfuse reply matters only where an undelivered one has to be undone.

void reply_error(fuse_req_t req, Errno code) {
    fuse_reply_err(req, static_cast<int>(code));
}

void reply(fuse_req_t req, Connection& connection, Found const& found) {
    if (found.entry) {
        reply(req, connection, *found.entry);
        return;
    }
    fuse_entry_param missing{};
    missing.entry_timeout = kForeverSeconds;
    fuse_reply_entry(req, &missing);
}

void reply(fuse_req_t req, Connection& connection, Entry const& entry) {
    fuse_entry_param const param = param_of(entry);
    if (fuse_reply_entry(req, &param) != 0) {
        forget_one(connection, entry.attr.ino);
    }
}

void reply(fuse_req_t req, Connection& /*connection*/, Attr const& attr) {
    struct stat const st = stat_of(attr);
    fuse_reply_attr(req, &st, kForeverSeconds);
}

void reply(fuse_req_t req, Connection& /*connection*/, std::string const& link_target) {
    fuse_reply_readlink(req, link_target.c_str());
}

void reply(fuse_req_t req, Connection& connection, Opened const& opened) {
    fuse_file_info const info = with_handle(opened.info, opened.handle);
    if (fuse_reply_open(req, &info) != 0) {
        if (opened.what == Opened::What::folder) {
            connection.fs->releasedir(opened.ino, opened.handle);
        } else if (opened.what == Opened::What::file) {
            end_open(connection, opened.ino, info);
        }
    }
}

void reply(fuse_req_t req, Connection& connection, CreatedFile const& file) {
    fuse_entry_param const param = param_of(file.created.entry);
    fuse_file_info const info = with_handle(file.info, file.created.handle);
    if (fuse_reply_create(req, &param, &info) != 0) {
        end_open(connection, file.created.entry.attr.ino, info);
        forget_one(connection, file.created.entry.attr.ino);
    }
}

void reply(fuse_req_t req, Connection& connection, base::ByteView bytes) {
    if (reply_bytes(req, bytes) == -EFAULT) {
        // Mapped pages that the file no longer has. libfuse has forgotten the request, the kernel
        // and the program that reads have not.
        log_failure(Op::read, {Errno::eio, "", "a pack of the image is shorter than it was"});
        answer_error(connection.device, Connection::request, Errno::eio);
    }
}

void reply(fuse_req_t req, Connection& /*connection*/, Written written) {
    fuse_reply_write(req, written.bytes);
}

void reply(fuse_req_t req, Connection& /*connection*/, Offset offset) {
    fuse_reply_lseek(req, static_cast<off_t>(offset.at));
}

void reply(fuse_req_t req, Connection& /*connection*/, XattrBytes const& xattr) {
    if (xattr.room == 0) {
        fuse_reply_xattr(req, xattr.bytes.size());
    } else if (xattr.bytes.size() > xattr.room) {
        reply_error(req, Errno::erange);
    } else {
        fuse_reply_buf(req, xattr.bytes.data(), xattr.bytes.size());
    }
}

void reply(fuse_req_t req, Connection& connection, FolderPart const& part) {
    if (reply_bytes(req, part.bytes) != 0) {
        for (Ino const ino : part.counted) {
            forget_one(connection, ino);
        }
    }
}

void reply(fuse_req_t req, Connection& /*connection*/, StatFs const& figures) {
    struct statvfs st{};
    st.f_bsize = figures.block_bytes;
    st.f_frsize = figures.block_bytes;
    st.f_blocks = figures.blocks;
    st.f_bfree = figures.blocks_free;
    st.f_bavail = figures.blocks_available;
    st.f_files = figures.files;
    st.f_ffree = figures.files_free;
    st.f_favail = figures.files_free;
    st.f_namemax = figures.name_bytes_max;
    fuse_reply_statfs(req, &st);
}

void reply(fuse_req_t req, Connection& /*connection*/, NoReply /*nothing*/) {
    fuse_reply_none(req);
}

}  // namespace oblea::fs
