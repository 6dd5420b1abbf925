// SPDX-License-Identifier: MIT
// What every request needs: the union, the terms of the mount, the counters. One per server;
// libfuse hands it to each operation as user data.
#pragma once
#include "fs/fuse/counters.h"
#include "fs/fuse/placeholder.h"
#include "fs/fuse/server.h"
#include "fs/union_fs.h"

#include <atomic>
#include <memory>

namespace oblea::fs {

// no-open: the kernel opens files without asking; only where a handle means nothing, which is a
// read-only union.
enum class OpenMode { no_open, keep_cache };

struct Connection {
    std::unique_ptr<UnionFs> fs;
    Placeholders placeholders;
    OpenMode open_mode = OpenMode::keep_cache;
    MountTerms terms;  // complete once `negotiated`
    bool negotiated = false;
    Counters counters;
    int device = -1;  // borrowed from the session

    // The kernel's number of the request that this thread is answering.
    static thread_local std::uint64_t request;
};

}  // namespace oblea::fs
