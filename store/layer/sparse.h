// SPDX-License-Identifier: MIT
// Maps of sparse files: from the pieces that a tar lists to the extents that the index keeps.
//
// Pure; safe from any thread. Spec: GNU tar manual "Storing Sparse Files".
#pragma once
#include "store/base/bytes.h"
#include "store/base/error.h"
#include "store/index/types.h"

#include <optional>
#include <span>
#include <string>
#include <vector>

namespace oblea::store {

// A piece of a sparse file, as its map gives it.
struct SparsePiece {
    std::uint64_t offset = 0;
    std::uint64_t bytes = 0;
};

// Pieces in the order of the file become extents of a blob that holds their bytes back to back;
// empty pieces go, neighbours join, and a file without holes has no extents at all.
// Errors: EINVAL when pieces overlap, are out of order or pass `real_size`, or when their sum is
// not `blob_bytes`.
Result<std::vector<Extent>> plan_extents(std::span<SparsePiece const> pieces,
                                         std::uint64_t real_size, std::uint64_t blob_bytes);

// Reads the map of version 1.0, which stands in front of the data: a count, then offset and size of
// each piece, every number on a line of its own, padded to whole blocks.
class SparseMapParser {
public:
    // The next block; true when the map is complete. Errors: EINVAL for anything but numbers;
    // E2BIG past limits::kSparseExtentsMax.
    Result<bool> feed(base::ByteView block);
    [[nodiscard]] std::vector<SparsePiece> const& pieces() const { return pieces_; }

private:
    Result<bool> take_number(std::uint64_t value);

    std::string digits_;
    std::optional<std::uint64_t> expected_;
    std::optional<std::uint64_t> offset_;
    std::vector<SparsePiece> pieces_;
};

}  // namespace oblea::store
