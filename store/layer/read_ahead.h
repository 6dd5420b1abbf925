// SPDX-License-Identifier: MIT
// One stage of a pipeline: reads a source into a few chunks, and hands them on, in a thread of its
// own or in the caller's.
//
// With a thread the reading and the use of the chunks by the caller run at the same time; memory is
// bounded by `chunks * chunk_bytes`, since the reader waits for the caller. Chunks are full, but
// for the last one. The source is borrowed; the destructor waits for a read of it that is under
// way.
#pragma once
#include "store/base/buffer_bytes.h"
#include "store/base/byte_source.h"

#include <memory>

namespace oblea::store {

enum class Threading { caller, own };

// OBLEA_THREADS=1 keeps everything in the caller's thread: for debuggers, and for small machines.
[[nodiscard]] Threading threading_by_environment();

struct ReadAheadOptions {
    Threading threading = Threading::own;
    std::size_t chunk_bytes = base::kBufferBytes;
    std::size_t chunks = 4;  // at least 2
};

std::unique_ptr<base::ChunkSource> make_read_ahead(base::ByteSource& source,
                                                   ReadAheadOptions options = {});

}  // namespace oblea::store
