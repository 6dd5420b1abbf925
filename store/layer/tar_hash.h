// SPDX-License-Identifier: MIT
// The SHA-256 of a tar that streams by, and what of the zeros behind its end was left out.
//
// The bytes of an object are hashed twice, as part of the tar and for its own name; here both at
// once, at the price of one (Sha256::update_both). Not thread-safe.
//
// zstd:chunked as podman 4 makes it ends with the last member or its two zero blocks, while the
// diff ID is of the tar as it was, with zeros up to a record of 20 blocks. The digest tells which
// tar is meant.
#pragma once
#include "store/base/byte_source.h"
#include "store/base/hash.h"

#include <optional>

namespace oblea::store {

class TarHash final : public base::ChunkSource {
public:
    // Borrowed; read through this.
    explicit TarHash(base::ChunkSource& tar) : tar_(tar) {}

    Result<base::ByteView> next() override;

    // `bytes` lie in the chunk at hand, behind those of the call before.
    void add_to(base::Sha256& object, base::ByteView bytes);

    // Of the chunks that came, the one at hand among them.
    [[nodiscard]] base::Digest digest() const { return all().finish(); }

    // How many zeros make a tar of the wanted digest of those: whole blocks, not more than a record
    // and the end of an archive have; nothing when none do. 0 when it has the digest as it is.
    [[nodiscard]] std::optional<std::uint64_t> missing_zeros(base::Digest const& wanted) const;

private:
    [[nodiscard]] base::Sha256 all() const;

    base::ChunkSource& tar_;
    base::Sha256 hash_;
    base::ByteView rest_;  // of the chunk at hand, not hashed yet
};

}  // namespace oblea::store
