// SPDX-License-Identifier: MIT
// Turns a layer's stream back into its tar: gzip, zstd, or as it is, told apart by the first bytes.
//
// Not thread-safe. Damage, truncation and anything after the compressed data that is no further
// member or frame are errors (EINVAL) that name the byte of the compressed stream; gzip may be
// padded with zero bytes, as archives on block devices are. After an error a source stays failed.
// Spec: RFC 1952 2.2 "several members"; RFC 8878 3.1 "frames"; OCI image-spec layer.md.
#pragma once
#include "store/base/byte_source.h"
#include "store/layer/read_ahead.h"

#include <cstdint>
#include <memory>
#include <string_view>

namespace oblea::store {

enum class Compression : std::uint8_t { none, gzip, zstd };

// Bytes that detect_compression wants to see.
inline constexpr std::size_t kMagicBytes = 6;

// By the magic of the first bytes; what is none of ours counts as not compressed.
[[nodiscard]] Compression detect_compression(base::ByteView head);

// The name of a compression that layers may not have ("xz", "bzip2", ...), for a message; empty
// when `head` looks like none.
[[nodiscard]] std::string_view foreign_compression(base::ByteView head);

// A stream whose first bytes can be looked at before it is read. The source is borrowed.
class PeekedSource final : public base::ByteSource {
public:
    explicit PeekedSource(base::ByteSource& source) : source_(source) {}

    // Up to kMagicBytes; fewer only when the stream is shorter. To be called before the first read.
    Result<base::ByteView> peek();
    Result<std::size_t> read(base::MutableBytes buffer) override;

private:
    base::ByteSource& source_;
    base::Bytes head_;
    std::size_t taken_ = 0;
};

// Borrows `compressed`, and reads it to its end before it reports its own. With Threading::own,
// small frames of zstd are decompressed side by side, in the threads of oneTBB. Errors: EINVAL for
// damaged data; E2BIG for a zstd frame that takes a window past limits::kZstdWindowLogMax.
std::unique_ptr<base::ByteSource> make_decompressor(Compression compression,
                                                    base::ChunkSource& compressed,
                                                    Threading threading = Threading::caller);

}  // namespace oblea::store
