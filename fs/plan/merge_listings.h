// SPDX-License-Identifier: MIT
// Merges the listings of a folder's lower and upper part into what a reader of the union sees, at
// stable positions.
//
// A name of the lower part has the key of its place there, whichever part provides it today:
// copy-up does not move it. Names that are only in the upper follow, at keys that come from their
// hash, so that creating and removing some moves no other. A reader goes on from a key, so whatever
// exists all the time is seen exactly once. Pure.
#pragma once
#include "fs/types.h"

#include <span>
#include <string>
#include <vector>

namespace oblea::fs {

inline constexpr std::uint64_t kDotKey = 0;
inline constexpr std::uint64_t kDotDotKey = 1;
inline constexpr std::uint64_t kLowerKeyFirst = 2;
inline constexpr std::uint64_t kUpperKeyFirst = std::uint64_t{1} << 33U;  // past any lower position

struct LowerListed {
    std::string_view name{};
    store::InodeNo ino = store::InodeNo::none;
    FileType type = FileType::regular;
};

struct UpperListed {
    std::string name{};
    std::uint64_t upper_ino = 0;
    FileType type = FileType::regular;
    enum class Kind : std::uint8_t { entry, whiteout } kind = Kind::entry;
};

struct MergedListed {
    std::uint64_t key = 0;
    std::string name{};
    FileType type = FileType::regular;
    enum class Source : std::uint8_t { lower, upper } source = Source::lower;
    // Upper entries: whether the lower part has the name too (the inode may be one of the image).
    enum class Below : std::uint8_t { no, yes } below = Below::no;
    store::InodeNo lower = store::InodeNo::none;  // source lower
    std::uint64_t upper_ino = 0;                  // source upper
};

// `lower` in the order of its positions. The result is sorted by key, which no two entries share.
[[nodiscard]] std::vector<MergedListed> merge_listings(std::span<LowerListed const> lower,
                                                       std::vector<UpperListed> upper);

}  // namespace oblea::fs
