// SPDX-License-Identifier: MIT
#include "store/layer/tar_hash.h"

#include "store/layer/tar_header.h"

#include <openssl/evp.h>

#include <array>
#include <new>

namespace oblea::store {

namespace {

constexpr std::size_t kMissingBlocksMax = 20 + 2;

EVP_MD_CTX* of(void* context) {
    return static_cast<EVP_MD_CTX*>(context);
}

// OpenSSL fails here only when it has no memory or no SHA-256: neither leaves anything to go on
// with.
void require(bool ok) {
    if (!ok) {
        throw std::bad_alloc();
    }
}

}  // namespace

void TarHash::Free::operator()(void* context) const noexcept {
    EVP_MD_CTX_free(of(context));
}

TarHash::TarHash() : context_(EVP_MD_CTX_new()) {
    require(context_ != nullptr &&
            EVP_DigestInit_ex(of(context_.get()), EVP_sha256(), nullptr) == 1);
}

void TarHash::update(base::ByteView data) {
    require(EVP_DigestUpdate(of(context_.get()), data.data(), data.size()) == 1);
}

TarHash::Context TarHash::copy(Context const& context) {
    Context same{EVP_MD_CTX_new()};
    require(same != nullptr && EVP_MD_CTX_copy_ex(of(same.get()), of(context.get())) == 1);
    return same;
}

base::Digest TarHash::finish(Context const& context) {
    base::Digest digest;
    unsigned bytes = 0;
    auto* const target = static_cast<unsigned char*>(static_cast<void*>(digest.value.data()));
    require(EVP_DigestFinal_ex(of(context.get()), target, &bytes) == 1 &&
            bytes == digest.value.size());
    return digest;
}

base::Digest TarHash::digest() const {
    return finish(copy(context_));
}

std::optional<std::uint64_t> TarHash::missing_zeros(base::Digest const& wanted) const {
    constexpr std::array<std::byte, kTarBlockBytes> kZeros{};
    Context const longer = copy(context_);
    for (std::size_t blocks = 0; blocks <= kMissingBlocksMax; ++blocks) {
        if (finish(copy(longer)) == wanted) {
            return blocks * kTarBlockBytes;
        }
        require(EVP_DigestUpdate(of(longer.get()), kZeros.data(), kZeros.size()) == 1);
    }
    return std::nullopt;
}

}  // namespace oblea::store
