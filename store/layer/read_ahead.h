// SPDX-License-Identifier: MIT
// One stage of a pipeline: reads a source into a few chunks, shows each to an observer, and hands
// them on, in threads of its own or in the caller's.
//
// With threads the reading, the observing (hashing, say) and the use of the chunks by the caller
// run at the same time; memory is bounded by `chunks * chunk_bytes`, since the reader waits for the
// slower of the two others. Chunks are full, but for the last one. next() and finish() belong to
// one thread. The source is borrowed; the destructor waits for a read of it that is under way.
#pragma once
#include "store/base/buffer_bytes.h"
#include "store/base/byte_source.h"

#include <functional>
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

class ReadAhead : public base::ChunkSource {
public:
    using Observer = std::function<void(base::ByteView)>;

    // After the end or an error of next(): waits until the observer has seen all chunks, so that
    // what it has gathered may be read.
    virtual void finish() = 0;

    // `observer` may be empty; it sees every chunk, in order.
    static std::unique_ptr<ReadAhead> make(base::ByteSource& source, ReadAheadOptions options,
                                           Observer observer);
};

}  // namespace oblea::store
