// SPDX-License-Identifier: MIT
// What a file is, from its first bytes.
#pragma once
#include "store/base/byte_source.h"
#include "store/index/types.h"

#include <string>
#include <vector>

namespace oblea::store {

enum class StreamKind { unknown, empty, tar, cpio, zip, gzip, zstd, xz, bzip2, lzma, lz4 };

// So much of a stream's beginning tells its kind.
inline constexpr std::size_t kHeadBytes = 512;
StreamKind sniff(base::ByteView head);
[[nodiscard]] bool is_compressed(StreamKind kind);
[[nodiscard]] char const* name_of(StreamKind kind);  // "gzip"

// The beginning of a stream, and what is inside when it is compressed.
struct Sniffed {
    StreamKind outer = StreamKind::unknown;
    StreamKind archive = StreamKind::unknown;  // tar, cpio, zip, or neither
    std::vector<std::string> names;            // of the members of a tar that begin in `head`
};
Sniffed sniff_archive(base::ByteView head);

// How much of a stream that begins with these 512 bytes sniff_archive() wants to see: bzip2 gives
// nothing before a block of up to 900 kB is whole.
std::size_t head_bytes_for(base::ByteView head);

enum class Looks { like_image, like_rootfs, unknown };
// By the names of members: an image's archive has manifests and blobs, a root file system has
// etc, usr and the like.
Looks judge_names(std::vector<std::string> const& names);

// A source whose beginning can be looked at.
class HeadSource final : public base::ByteSource {
public:
    explicit HeadSource(base::ByteSource& source) : source_(source) {}
    // Up to `bytes` bytes, less only at the end. Before the first read(); more than once for more.
    Result<base::ByteView> peek(std::size_t bytes);
    Result<std::size_t> read(base::MutableBytes buffer) override;

private:
    base::ByteSource& source_;
    base::Bytes head_;
    std::size_t given_ = 0;
};

}  // namespace oblea::store
