// SPDX-License-Identifier: MIT
// A tee: passes a stream through, and takes its SHA-256 and its length.
//
// What was not read was not hashed: read to the end before finish(). Not thread-safe.
#pragma once
#include "store/base/byte_source.h"
#include "store/base/hash.h"

namespace oblea::store {

class HashingSource final : public base::ByteSource {
public:
    explicit HashingSource(base::ByteSource& source) : source_(source) {}

    Result<std::size_t> read(base::MutableBytes buffer) override;

    [[nodiscard]] std::uint64_t bytes() const { return bytes_; }
    [[nodiscard]] base::Digest finish() { return hash_.finish(); }

private:
    base::ByteSource& source_;
    base::Sha256 hash_;
    std::uint64_t bytes_ = 0;
};

}  // namespace oblea::store
