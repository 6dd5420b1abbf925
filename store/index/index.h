// SPDX-License-Identifier: MIT
// A layer's or a merged tree's index, mapped read-only and used in place (FORMAT.md).
//
// An Index is immutable and safe from any thread; views that it returns live as long as it does.
// Opening checks header, size and section table in constant time and proves nothing else: every
// accessor checks bounds, so that a damaged file gives EUCLEAN, and never a wild read.
//
// A file that shrinks while mapped raises SIGBUS. Opening does not touch the mapping; for the
// accessors the caller decides, since a guard around several calls costs no more than one around
// one: long-lived readers (the server, once for each request) run them in
// base::read_guarded(index.bytes(), ...), which gives EIO instead; import, merge and verify, which
// read files that they have just written or hold a lock on, need none.
#pragma once
#include "store/base/bytes.h"
#include "store/base/unique_fd.h"
#include "store/index/types.h"

#include <memory>
#include <optional>
#include <string_view>

namespace oblea::store {

// Stored on disk: never renumber.
enum class IndexKind : std::uint32_t { layer = 1, merged = 2 };

enum class DirentKind : std::uint8_t {
    entry = 0,
    whiteout = 1,       // layer indexes only: hides the name in lower layers
    external_link = 2,  // layer indexes only: a hard link to a path of the lower layers
};

struct Dirent {
    std::string_view name;
    DirentKind kind = DirentKind::entry;
    InodeNo ino = InodeNo::none;            // entry
    FileType type = FileType::regular;      // entry
    std::string_view external_link_target;  // external_link: a RelPath in normal form
};

// Where a file's bytes are, in a form that allocates nothing.
struct ContentView {
    ContentKind kind = ContentKind::none;
    LayerPos layer = LayerPos::bottom;  // whose pack; layer indexes: always the bottom
    std::uint64_t pack_offset = 0;
    base::Hash128 pack_check;
    Digest object;
    std::uint64_t blob_bytes = 0;
    std::span<Extent const> extents;  // empty: the blob is the file
};

class Index {
public:
    // `name` is for messages. Errors: EUCLEAN when it is no index, is truncated, or has a damaged
    // header; EOPNOTSUPP for a version or a required feature that this program does not know.
    static Result<Index> open(base::UniqueFd file, std::string name);
    static Result<Index> from_bytes(base::Bytes bytes, std::string name);

    Index(Index&&) noexcept;
    Index& operator=(Index&&) noexcept;
    ~Index();

    [[nodiscard]] IndexKind kind() const;
    [[nodiscard]] std::uint32_t inode_count() const;
    [[nodiscard]] std::uint64_t file_bytes() const;
    [[nodiscard]] base::ByteView bytes() const;
    [[nodiscard]] std::uint64_t
    content_bytes() const;  // sum of the sizes of all regular files, each inode once

    // The layers, bottom first; a layer's index names itself. Diff IDs.
    [[nodiscard]] std::uint32_t layer_count() const;
    Result<Digest> layer(LayerPos position) const;

    // Large contents that are referred to (layer indexes: see LayerTree::finish; merged ones: those
    // in use).
    [[nodiscard]] std::uint32_t object_count() const;
    Result<Digest> object(std::uint32_t position) const;

    // All of the following: ENOTDIR where a folder is needed, EUCLEAN where the file contradicts
    // itself, EINVAL for an inode number out of range.
    Result<InodeAttr> attr(InodeNo ino) const;
    Result<bool> is_opaque(InodeNo directory) const;
    Result<bool> is_implicit(InodeNo directory) const;
    Result<Origin> origin(InodeNo ino) const;
    // The inode of a merged index that came from `origin`, if it is visible in it. At most a binary
    // search.
    Result<std::optional<InodeNo>> find_origin(Origin origin) const;

    // ENOTDIR when `directory` is none. One hash probe sequence, whatever the size of the tree; no
    // allocation.
    Result<std::optional<Dirent>> lookup(InodeNo directory, std::string_view name) const;
    Result<std::uint32_t> entry_count(InodeNo directory) const;
    Result<Dirent> entry(InodeNo directory,
                         std::uint32_t position) const;  // sorted bytewise by name
    Result<InodeNo> parent(InodeNo directory) const;     // of the root: the root

    // The inode at a path, without following links; nullopt when there is none.
    Result<std::optional<InodeNo>> resolve(RelPath const& path) const;

    Result<std::string_view> symlink_target(InodeNo ino) const;  // EINVAL when it is no symlink
    Result<ContentView> content(InodeNo ino) const;  // EINVAL when it is no regular file
    [[nodiscard]] Result<bool> has_xattrs(InodeNo ino) const;
    Result<std::optional<std::string_view>> xattr(InodeNo ino, std::string_view name) const;
    Result<std::vector<std::string_view>> xattr_names(InodeNo ino) const;

    // Proves the whole structure: checksum, every number, order, uniqueness, reachability, link
    // counts, one parent for each folder, hash table and reverse table complete. Run before an
    // index is published, and by verify.
    Status check() const;

private:
    struct Impl;
    explicit Index(std::unique_ptr<Impl> impl);
    std::unique_ptr<Impl const> impl_;
};

}  // namespace oblea::store
