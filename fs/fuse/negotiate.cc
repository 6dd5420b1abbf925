// SPDX-License-Identifier: MIT
#include "fs/fuse/negotiate.h"

#include "fs/fuse/connection.h"

#define FUSE_USE_VERSION 314
#include <fuse_lowlevel.h>

#include <cstdint>

namespace oblea::fs {
namespace {

// Requests that the kernel may have under way beside the ones that a program waits for: read-ahead.
constexpr unsigned kBackgroundMax = 64;

void want(fuse_conn_info& info, std::uint64_t feature) {
#if FUSE_VERSION >= FUSE_MAKE_VERSION(3, 17)
    fuse_set_feature_flag(&info, feature);  // only if it is offered
#else
    info.want |= static_cast<unsigned>(feature) & info.capable;
#endif
}

void decline(fuse_conn_info& info, std::uint64_t feature) {
#if FUSE_VERSION >= FUSE_MAKE_VERSION(3, 17)
    fuse_unset_feature_flag(&info, feature);
#else
    info.want &= ~static_cast<unsigned>(feature);
#endif
}

void agree([[maybe_unused]] Connection const& connection, fuse_conn_info& info) {
    want(info, FUSE_CAP_ASYNC_READ);
    want(info, FUSE_CAP_READDIRPLUS);
    want(info, FUSE_CAP_PARALLEL_DIROPS);
    want(info, FUSE_CAP_CACHE_SYMLINKS);
    want(info, FUSE_CAP_EXPLICIT_INVAL_DATA);
    // The kernel enforces access lists; what a new file inherits, and whether a umask counts, is
    // then for us to say.
    want(info, FUSE_CAP_POSIX_ACL);
    want(info, FUSE_CAP_DONT_MASK);
    // The kernel asks for attributes with the first names of a folder, and with more of them only
    // while they are used: making an inode for each name costs it six times as much as the name.
    want(info, FUSE_CAP_READDIRPLUS_AUTO);
    // Only the kernel's own writes change a file, so a new time is no reason to drop its pages.
    decline(info, FUSE_CAP_AUTO_INVAL_DATA);
    // Splicing lost at every size of request.
    decline(info, FUSE_CAP_SPLICE_READ);
    decline(info, FUSE_CAP_SPLICE_WRITE);
    decline(info, FUSE_CAP_SPLICE_MOVE);
    // The older rule leaves it to us to know the writer's rights, which we cannot.
    decline(info, FUSE_CAP_HANDLE_KILLPRIV);
#if FUSE_VERSION >= FUSE_MAKE_VERSION(3, 18)
    // libfuse tells since 3.18 whether the writer may keep setuid bits; without this the kernel
    // asks for security.capability before each write.
    want(info, FUSE_CAP_HANDLE_KILLPRIV_V2);
    decline(info, FUSE_CAP_OVER_IO_URING);  // libfuse's own rings: ours are agreed on beside it
#endif
#if FUSE_VERSION >= FUSE_MAKE_VERSION(3, 17)
    if (connection.mode == DataMode::passthrough) {
        want(info, FUSE_CAP_PASSTHROUGH);
        // Files of a stacked file system are taken only if nothing may be stacked on this one.
        info.max_backing_stack_depth = connection.fs->upper_is_stacked()
                                           ? FUSE_BACKING_STACKED_OVER
                                           : FUSE_BACKING_STACKED_UNDER;
    }
#endif
    // Opening with O_TRUNC sends a truncation of its own, under the inode's lock like any other: as
    // part of OPEN the kernel sets the size to zero whenever it gets to it, also after writes that
    // followed, and appends then start at the wrong end (Linux 6.18, fs/fuse/file.c, fuse_open).
    decline(info, FUSE_CAP_ATOMIC_O_TRUNC);
    info.max_write = kRequestBytesMax;
    info.max_background = kBackgroundMax;
    info.congestion_threshold = kBackgroundMax * 3 / 4;
    info.time_gran = 1;
}

}  // namespace

void negotiate(Connection& connection, fuse_conn_info& info) {
    agree(connection, info);
    MountTerms& terms = connection.terms;
    terms.protocol_major = info.proto_major;
    terms.protocol_minor = info.proto_minor;
    terms.libfuse = fuse_pkgversion();
#if FUSE_VERSION >= FUSE_MAKE_VERSION(3, 17)
    terms.passthrough_offered = (info.capable_ext & FUSE_CAP_PASSTHROUGH) != 0;
#endif
#if FUSE_VERSION >= FUSE_MAKE_VERSION(3, 17)
    connection.agreed = info.want_ext;
#else
    connection.agreed = info.want;
#endif
    connection.negotiated = true;
}

}  // namespace oblea::fs
