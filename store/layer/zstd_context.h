// SPDX-License-Identifier: MIT
// libzstd's contexts, freed at their end. For .cc files only.
#pragma once
#include <zstd.h>

#include <memory>

namespace oblea::store {

struct FreeZstdContext {
    void operator()(ZSTD_CCtx* context) const noexcept { ZSTD_freeCCtx(context); }
    void operator()(ZSTD_DCtx* context) const noexcept { ZSTD_freeDCtx(context); }
};
using ZstdCompressor = std::unique_ptr<ZSTD_CCtx, FreeZstdContext>;
using ZstdDecompressor = std::unique_ptr<ZSTD_DCtx, FreeZstdContext>;

}  // namespace oblea::store
