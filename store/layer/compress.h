// SPDX-License-Identifier: MIT
// Compresses a tar for its way to a registry or an archive, with many threads, reproducibly.
//
// The result depends on the input, the format and the versions of zlib and libzstd, not on the
// number of threads: gzip is cut into blocks of equal length, each with the 32 KiB before it as its
// dictionary, in one member as RFC 1952 has it; zstd is one frame.
#pragma once
#include "store/index/types.h"
#include "store/layer/decompress.h"
#include "store/layer/import_layer.h"

#include <memory>

namespace oblea::store {

struct CompressedStream {
    Digest digest;
    std::uint64_t bytes = 0;
};

class CompressingSink : public TarSink {
public:
    // After the last write. Errors: as write().
    virtual Result<CompressedStream> finish() = 0;
};

// Appends to the file `fd`, which is borrowed. With Compression::none the input goes there as it
// is. Not thread-safe. Errors of write(): those of the file; ENOMEM.
Result<std::unique_ptr<CompressingSink>> make_compressor(Compression compression, int fd);

}  // namespace oblea::store
