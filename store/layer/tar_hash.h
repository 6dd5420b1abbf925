// SPDX-License-Identifier: MIT
// The SHA-256 of a tar while it streams, and what of the zeros behind its end was left out.
//
// zstd:chunked as podman 4 makes it ends with the last member or its two zero blocks, while the
// diff ID is of the tar as it was, with zeros up to a record of 20 blocks. The digest tells which
// tar is meant. Not thread-safe.
#pragma once
#include "store/base/bytes.h"
#include "store/base/hash.h"

#include <memory>
#include <optional>

namespace oblea::store {

class TarHash {
public:
    TarHash();

    void update(base::ByteView data);

    // How many zeros make a tar of the wanted digest of what was hashed: whole blocks, not more
    // than a record and the end of an archive have; nothing when none do. 0 when it has the digest
    // as it is.
    [[nodiscard]] std::optional<std::uint64_t> missing_zeros(base::Digest const& wanted) const;

    [[nodiscard]] base::Digest digest() const;  // of what was hashed so far

private:
    struct Free {
        void operator()(void* context) const noexcept;
    };
    using Context = std::unique_ptr<void, Free>;
    [[nodiscard]] static Context copy(Context const& context);
    [[nodiscard]] static base::Digest finish(Context const& context);

    Context context_;
};

}  // namespace oblea::store
