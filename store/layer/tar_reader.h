// SPDX-License-Identifier: MIT
// Reads a layer's tar as a stream: members as LayerEntry, contents as views, and every byte that is
// no content handed to a sink, so that the tar can be put together again.
//
// Memory is bounded by one extension header (limits::kTarHeaderBytesMax) and one map of a sparse
// file, whatever the size of the tar. Nothing is written anywhere: names are data. Not thread-safe;
// after an error the reader must not be used further.
//
// What is taken as what, where readers of tar differ:
// - global pax headers ('g') are ignored, as container tools do;
// - a hard link, folder or other member without contents has none, whatever its size says, but a
//   hard link in a pax archive, which may: the bytes stay in the tar, and the link counts;
// - a regular member whose name ends in '/' is a folder (v7 had no type for one);
// - an unknown type is a regular file (POSIX), the part of a multi-volume archive an error;
// - uid and gid may be negative down to -2^31 and mean what the kernel makes of them, 32 bits;
// - the end is two zero blocks, or the end of the stream after a whole member; what follows two
//   zero blocks is kept byte by byte and read no further; a lone one followed by more is an error.
// Spec: OCI image-spec layer.md; POSIX pax; GNU tar manual "Basic Tar Format".
#pragma once
#include "store/base/byte_source.h"
#include "store/layer/pax.h"
#include "store/layer/tar_header.h"
#include "store/layer/whiteout.h"

#include <array>
#include <optional>

namespace oblea::store {

class LiteralSink {
public:
    LiteralSink() = default;
    LiteralSink(LiteralSink const&) = delete;
    LiteralSink& operator=(LiteralSink const&) = delete;
    virtual ~LiteralSink() = default;
    // Bytes of the tar, in order; valid during the call only.
    virtual Status literal(base::ByteView bytes) = 0;
};

struct TarMember {
    LayerEntry entry;              // without its content; attr.size is the whole file's
    std::uint64_t offset = 0;      // of its first header in the tar
    std::uint64_t blob_bytes = 0;  // what content() will give
    std::vector<Extent> extents;   // of a sparse regular file
};

class TarReader {
public:
    TarReader(base::ChunkSource& source, LiteralSink& literals)
        : source_(source), literals_(literals) {}

    // The next member, whiteouts included, aufs' leftovers left out; nullopt at the end, when all
    // of the source has been read. Contents that were not asked for go to the sink.
    // Errors: EINVAL for what is no tar or ends early, E2BIG past a limit, each naming the member
    // and the byte where it begins; those of the source and the sink as they come.
    Result<std::optional<TarMember>> next();

    // The next piece of the member's content, valid until the following call of the reader; empty
    // at its end.
    Result<base::ByteView> content();

    [[nodiscard]] std::uint64_t offset() const { return offset_; }

private:
    // What the headers before a member's own say of it.
    struct Extensions {
        std::uint64_t start = 0;
        std::size_t bytes = 0;
        std::optional<std::string> gnu_name;
        std::optional<std::string> gnu_link_name;
        PaxValues pax;
        bool pax_seen = false;
    };

    Result<bool> refill();
    Result<std::optional<base::ByteView>> read_block();
    Result<base::ByteView> read_block_of_member();
    Result<std::string> read_extension(TarHeader const& header, Extensions& extensions);
    Status skip_extension(TarHeader const& header);
    Result<base::ByteView> take_content();
    void set_body(std::uint64_t bytes);
    Status skip_padding();
    Status finish_body();
    Status finish_archive();
    Result<std::optional<TarMember>> read_member();
    Result<std::optional<TarMember>> next_member(Extensions& extensions);
    Result<bool> take_extension(TarHeader const& header, Extensions& extensions);
    Result<std::optional<TarMember>> make_member(TarHeader const& header,
                                                 Extensions const& extensions);
    Status set_regular(TarHeader const& header, Extensions const& extensions, TarMember& member);
    Result<std::vector<SparsePiece>> read_gnu_map(GnuSparseHeader first);
    Result<std::vector<SparsePiece>> read_pax_map();

    base::ChunkSource& source_;
    LiteralSink& literals_;
    base::ByteView rest_;  // of the chunk at hand
    std::uint64_t offset_ = 0;
    std::uint64_t body_left_ = 0;
    std::uint64_t padding_left_ = 0;
    std::array<std::byte, kTarBlockBytes> block_{};      // a block that lies across two chunks
    std::array<std::byte, kTarBlockBytes> own_block_{};  // the member's own header
    std::string name_;                                   // of the member at hand, for messages
    std::uint64_t member_offset_ = 0;
    bool pax_archive_ = false;
    bool ended_ = false;
};

}  // namespace oblea::store
