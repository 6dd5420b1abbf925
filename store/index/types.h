// SPDX-License-Identifier: MIT
// The words that layers, merged trees and the file system share: inode numbers, file types,
// attributes, contents.
//
// Plain values; safe from any thread.
#pragma once
#include "store/base/hash.h"
#include "store/base/path.h"

#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace oblea::store {

using base::Digest;
using base::Name;
using base::RelPath;

// An inode's number within one index. 1 is the root directory; numbers run to inode_count() without
// gaps; 0 is none.
enum class InodeNo : std::uint32_t { none = 0, root = 1 };

// A layer's place in a stack; 0 is the bottom, as everywhere in this project.
enum class LayerPos : std::uint32_t { bottom = 0 };

// Stored on disk: never renumber.
enum class FileType : std::uint8_t {
    regular = 1,
    directory = 2,
    symlink = 3,
    char_device = 4,
    block_device = 5,
    fifo = 6,
    socket = 7,
};

struct Timestamp {
    std::int64_t seconds = 0;  // since 1970-01-01 UTC, may be negative
    std::uint32_t nanoseconds = 0;
    auto operator<=>(Timestamp const&) const = default;
};

struct DeviceNumber {
    std::uint32_t major = 0;
    std::uint32_t minor = 0;
    auto operator<=>(DeviceNumber const&) const = default;
};

// What stat shows of an inode, as the image has it: real owners and device numbers, whoever
// imported it.
struct InodeAttr {
    FileType type = FileType::regular;
    std::uint32_t permissions = 0;  // the low 12 bits of st_mode
    std::uint32_t nlink = 1;        // directories: 2 + subdirectories
    std::uint32_t uid = 0;
    std::uint32_t gid = 0;
    std::uint64_t size = 0;  // regular: bytes; symlink: length of its target; else 0
    Timestamp mtime;
    DeviceNumber device;
};

// The same inode in the index of the layer that it came from. In a layer's own index: position 0
// and itself.
struct Origin {
    LayerPos layer = LayerPos::bottom;
    InodeNo ino = InodeNo::none;
    auto operator<=>(Origin const&) const = default;
};

// A piece of a sparse file: `bytes` bytes at `file_offset` are those at `blob_offset` of its stored
// blob. Everything between pieces is a hole.
struct Extent {
    std::uint64_t file_offset = 0;
    std::uint64_t blob_offset = 0;
    std::uint64_t bytes = 0;
    auto operator<=>(Extent const&) const = default;
};

// Stored on disk: never renumber.
enum class ContentKind : std::uint8_t {
    none = 0,    // empty, or all hole
    pack = 1,    // in the layer's pack
    object = 2,  // a file of its own, shared by all layers
};

// Where a regular file's bytes are stored: one blob, in the layer's pack or as an object. Without
// extents the blob is the file (blob_bytes == size); with extents (sorted, disjoint, within size
// and blob) the file is sparse.
struct Content {
    ContentKind kind = ContentKind::none;
    std::uint64_t pack_offset = 0;  // pack only
    base::Hash128 pack_check;       // pack only: XXH3-128 of the blob
    Digest object;                  // object only: SHA-256 of the blob
    std::uint64_t blob_bytes = 0;
    std::vector<Extent> extents;

    auto operator<=>(Content const&) const = default;
};

// Sorted by name, no name twice. Names are full ("user.a", "security.capability").
using Xattrs = std::vector<std::pair<std::string, std::string>>;

// One member of a layer, in the order in which the layer's tar has it: what LayerTree takes.
// Spec: OCI image-spec layer.md "Types", "Whiteouts".
struct LayerEntry {
    enum class Kind {
        inode,      // a file, folder, link, device at `path`
        hard_link,  // `path` becomes another name of what `target_path` names
        whiteout,   // hides what lower layers have at `path`
        opaque,     // hides what lower layers have inside the folder `path`
    };
    Kind kind = Kind::inode;
    RelPath path;
    InodeAttr attr;              // inode
    Xattrs xattrs;               // inode
    std::string symlink_target;  // inode of type symlink: any bytes but NUL, 1 to kSymlinkBytesMax
    Content content;             // inode of type regular
    RelPath target_path;         // hard_link
};

}  // namespace oblea::store
