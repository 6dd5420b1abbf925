// SPDX-License-Identifier: MIT
// zstd streams: one frame after the other, or, where frames are small and say how much they hold,
// as those of zstd:chunked layers do, many side by side in the threads of oneTBB.
//
// Beside its buffers' few MiB nothing is kept, whatever the stream says: frames that are large, or
// silent about their size, are decompressed piece by piece. Spec: RFC 8878 3.1.1.
#pragma once
#include "store/layer/decompress.h"

namespace oblea::store {

// As make_decompressor().
std::unique_ptr<base::ByteSource> make_zstd_source(base::ChunkSource& compressed,
                                                   Threading threading);

}  // namespace oblea::store
