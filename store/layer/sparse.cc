// SPDX-License-Identifier: MIT
#include "store/layer/sparse.h"

#include "store/base/checked.h"
#include "store/base/limits.h"
#include "store/layer/pax.h"

namespace oblea::store {

Result<std::vector<Extent>> plan_extents(std::span<SparsePiece const> pieces,
                                         std::uint64_t real_size, std::uint64_t blob_bytes) {
    std::vector<Extent> extents;
    std::uint64_t end = 0;   // of the last piece, in the file
    std::uint64_t blob = 0;  // of the last piece, in the blob
    for (SparsePiece const& piece : pieces) {
        if (piece.offset < end || !base::range_fits(piece.offset, piece.bytes, real_size)) {
            return fail(Errno::einval, "",
                        "the map of a sparse file has a piece out of order or past its end");
        }
        end = piece.offset + piece.bytes;
        if (piece.bytes == 0) {
            continue;
        }
        bool const joins =
            !extents.empty() && extents.back().file_offset + extents.back().bytes == piece.offset;
        if (joins) {
            extents.back().bytes += piece.bytes;
        } else {
            extents.push_back(
                {.file_offset = piece.offset, .blob_offset = blob, .bytes = piece.bytes});
        }
        blob += piece.bytes;  // at most real_size, as pieces are disjoint
    }
    if (blob != blob_bytes) {
        return fail(Errno::einval, "",
                    "the map of a sparse file has " + std::to_string(blob) +
                        " bytes of data, the archive " + std::to_string(blob_bytes));
    }
    bool const whole = extents.size() == 1 && extents[0].bytes == real_size;
    if (whole) {
        extents.clear();
    }
    return extents;
}

Result<bool> SparseMapParser::feed(base::ByteView block) {
    constexpr std::size_t kDigitsMax = 20;
    for (char const c : base::text_of(block)) {
        if (c != '\n') {
            digits_ += c;
            if (digits_.size() > kDigitsMax) {
                return fail(Errno::einval, "", "the map of a sparse file is malformed");
            }
            continue;
        }
        std::uint64_t const value = OBLEA_TRY(parse_decimal(digits_));
        digits_.clear();
        if (OBLEA_TRY(take_number(value))) {
            return true;
        }
    }
    return false;
}

Result<bool> SparseMapParser::take_number(std::uint64_t value) {
    if (!expected_.has_value()) {
        if (value > limits::kSparseExtentsMax) {
            return fail(Errno::e2big, "",
                        "a sparse file of " + std::to_string(value) + " pieces; at most " +
                            std::to_string(limits::kSparseExtentsMax) + " are taken");
        }
        expected_ = value;
    } else if (!offset_.has_value()) {
        offset_ = value;
    } else {
        pieces_.push_back({.offset = *offset_, .bytes = value});
        offset_.reset();
    }
    return pieces_.size() == *expected_ && !offset_.has_value();
}

}  // namespace oblea::store
