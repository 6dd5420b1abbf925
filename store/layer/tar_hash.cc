// SPDX-License-Identifier: MIT
#include "store/layer/tar_hash.h"

#include "store/layer/tar_header.h"

#include <array>

namespace oblea::store {

namespace {
constexpr std::size_t kMissingBlocksMax = 20 + 2;
}  // namespace

Result<base::ByteView> TarHash::next() {
    hash_.update(rest_);
    rest_ = {};
    rest_ = OBLEA_TRY(tar_.next());
    return rest_;
}

void TarHash::add_to(base::Sha256& object, base::ByteView bytes) {
    auto const before = static_cast<std::size_t>(bytes.data() - rest_.data());
    hash_.update(rest_.first(before));
    base::Sha256::update_both(hash_, object, bytes);
    rest_ = rest_.subspan(before + bytes.size());
}

base::Sha256 TarHash::all() const {
    base::Sha256 all{hash_};
    all.update(rest_);
    return all;
}

std::optional<std::uint64_t> TarHash::missing_zeros(base::Digest const& wanted) const {
    constexpr std::array<std::byte, kTarBlockBytes> kZeros{};
    base::Sha256 longer = all();
    for (std::size_t blocks = 0; blocks <= kMissingBlocksMax; ++blocks) {
        if (base::Sha256{longer}.finish() == wanted) {
            return blocks * kTarBlockBytes;
        }
        longer.update(kZeros);
    }
    return std::nullopt;
}

}  // namespace oblea::store
