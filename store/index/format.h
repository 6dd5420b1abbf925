// SPDX-License-Identifier: MIT
// The index as it lies on disk: constants and structs, nothing else. FORMAT.md "Index" is the
// specification; both change in the same commit, and what is here is never renumbered.
//
// All numbers are little-endian. Sections begin at multiples of kSectionAlign, so that records can
// be used in place.
#pragma once
#include "store/index/types.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <type_traits>

namespace oblea::store::format {

inline constexpr std::array<char, 8> kMagic = {'o', 'b', 'l', 'e', 'a', '-', 'i', 'x'};
inline constexpr std::uint32_t kVersion = 1;
// Of the rules by which merge() stacks layers; in the header of a merged index.
inline constexpr std::uint32_t kMergeVersion = 1;
// A reader refuses an index that requires a feature outside of this set. None exists yet.
inline constexpr std::uint64_t kRequiredFeaturesKnown = 0;

inline constexpr std::uint64_t kSectionAlign = 64;
inline constexpr std::uint32_t kNone = 0xffff'ffffU;  // "no xattrs", "no content", "no object"

// Positions in the header's section table, and the order of the sections in the file.
enum class Section : std::uint32_t {
    inodes = 0,      // InodeRecord, by inode number
    dirents = 1,     // DirentRecord, by (folder's number, name)
    slots = 2,       // uint32: 0 is empty, else dirent position + 1
    names = 3,       // bytes
    strings = 4,     // bytes
    xattr_sets = 5,  // XattrSetRecord
    xattrs = 6,      // XattrRecord
    links = 7,       // LinkRecord: targets of external hard links
    contents = 8,    // ContentRecord
    extents = 9,     // Extent
    layers = 10,     // Digest, bottom first
    objects = 11,    // Digest, ascending
    origins = 12,    // uint32: inode numbers by (origin layer, origin inode); merged only
};
inline constexpr std::size_t kSectionCount = 16;  // 13 to 15: for later features, empty now

struct SectionRecord {
    std::uint64_t offset;
    std::uint64_t bytes;
};

struct Header {
    std::array<char, 8> magic;
    std::uint32_t version;
    std::uint32_t header_bytes;
    std::uint64_t required_features;
    std::uint64_t optional_features;
    std::uint32_t kind;           // IndexKind
    std::uint32_t merge_version;  // 0 in a layer's index
    std::uint32_t inode_count;
    std::uint32_t dirent_count;
    std::uint64_t hash_seed;
    std::uint64_t content_bytes;
    std::uint64_t file_bytes;
    std::uint64_t payload_check_low;  // XXH3-128 of all bytes after the header
    std::uint64_t payload_check_high;
    std::array<SectionRecord, kSectionCount> sections;
    std::array<std::uint64_t, 4> reserved;  // 0
    std::uint64_t header_check;             // XXH3-64 of all header bytes before this field
};
static_assert(sizeof(Header) == 384 && sizeof(Header) % kSectionAlign == 0);
static_assert(offsetof(Header, kind) == 32 && offsetof(Header, hash_seed) == 48);
static_assert(offsetof(Header, payload_check_low) == 72 && offsetof(Header, sections) == 88);
static_assert(offsetof(Header, reserved) == 344 && offsetof(Header, header_check) == 376);

inline constexpr std::uint8_t kInodeOpaque = 1;    // a layer's folder that hides lower contents
inline constexpr std::uint8_t kInodeImplicit = 2;  // a folder that no member described
inline constexpr std::uint8_t kInodeFlagsKnown = kInodeOpaque | kInodeImplicit;

struct InodeRecord {
    std::uint8_t type;  // FileType
    std::uint8_t flags;
    std::uint16_t permissions;
    std::uint32_t nlink;
    std::uint32_t uid;
    std::uint32_t gid;
    std::uint64_t size;
    std::int64_t mtime_seconds;
    std::uint32_t mtime_nanoseconds;
    std::uint32_t xattr_set;  // kNone: no xattrs
    std::uint32_t origin_layer;
    std::uint32_t origin_ino;
    std::array<std::uint32_t, 4> place;  // by type, see kPlace...; unused ones are 0
};
static_assert(sizeof(InodeRecord) == 64 && std::is_trivially_copyable_v<InodeRecord>);
static_assert(offsetof(InodeRecord, size) == 16 && offsetof(InodeRecord, xattr_set) == 36);
static_assert(offsetof(InodeRecord, origin_layer) == 40 && offsetof(InodeRecord, place) == 48);

// Meanings of InodeRecord::place.
inline constexpr std::size_t kPlaceFirstDirent = 0;  // folder
inline constexpr std::size_t kPlaceDirents = 1;      // folder: their number
inline constexpr std::size_t kPlaceParent = 2;       // folder
inline constexpr std::size_t kPlaceTarget = 0;       // symlink: offset in strings; length is size
inline constexpr std::size_t kPlaceContent = 0;      // regular: position in contents, or kNone
inline constexpr std::size_t kPlaceMajor = 0;        // devices
inline constexpr std::size_t kPlaceMinor = 1;

struct DirentRecord {
    std::uint32_t parent;
    std::uint32_t ino;  // entry: inode number; external link: position in links; whiteout: 0
    std::uint32_t name_offset;
    std::uint8_t name_bytes;
    std::uint8_t type;  // FileType of an entry; else 0
    std::uint8_t kind;  // DirentKind
    std::uint8_t reserved;
};
static_assert(sizeof(DirentRecord) == 16 && std::is_trivially_copyable_v<DirentRecord>);
static_assert(offsetof(DirentRecord, name_bytes) == 12 && offsetof(DirentRecord, kind) == 14);

struct XattrSetRecord {
    std::uint32_t first;  // position in xattrs
    std::uint32_t count;
};
static_assert(sizeof(XattrSetRecord) == 8);

struct XattrRecord {
    std::uint32_t name_offset;  // in strings
    std::uint32_t name_bytes;
    std::uint32_t value_offset;  // in strings
    std::uint32_t value_bytes;
};
static_assert(sizeof(XattrRecord) == 16);

struct LinkRecord {
    std::uint32_t target_offset;  // in strings
    std::uint32_t target_bytes;
};
static_assert(sizeof(LinkRecord) == 8);

struct ContentRecord {
    std::uint32_t kind;  // ContentKind, never none
    std::uint32_t layer;
    std::uint64_t pack_offset;      // pack only, else 0
    std::uint64_t pack_check_low;   // pack only, else 0
    std::uint64_t pack_check_high;  // pack only, else 0
    std::uint64_t blob_bytes;
    std::uint32_t object;  // position in objects; pack: kNone
    std::uint32_t extent_count;
    std::uint32_t extent_first;
    std::uint32_t reserved;
};
static_assert(sizeof(ContentRecord) == 56 && offsetof(ContentRecord, object) == 40);

static_assert(sizeof(Extent) == 24 && std::is_trivially_copyable_v<Extent>);
static_assert(offsetof(Extent, blob_offset) == 8 && offsetof(Extent, bytes) == 16);
static_assert(sizeof(Digest) == 32 && std::is_trivially_copyable_v<Digest>);

}  // namespace oblea::store::format
