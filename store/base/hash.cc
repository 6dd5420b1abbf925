// SPDX-License-Identifier: MIT
#include "store/base/hash.h"

#include <openssl/evp.h>
#include <xxhash.h>

#include <new>

namespace oblea::base {

namespace {

constexpr std::string_view kPrefix = "sha256:";

int hex_value(char digit) {
    if (digit >= '0' && digit <= '9') {
        return digit - '0';
    }
    if (digit >= 'a' && digit <= 'f') {
        return digit - 'a' + 10;
    }
    return -1;
}

EVP_MD_CTX* as_context(void* context) {
    return static_cast<EVP_MD_CTX*>(context);
}

// OpenSSL fails here only when it has no memory or no SHA-256: neither leaves anything to go on
// with.
void require(int ok) {
    if (ok != 1) {
        throw std::bad_alloc();
    }
}

}  // namespace

std::string Digest::hex() const {
    static constexpr char kDigits[] = "0123456789abcdef";
    std::string text(64, '0');
    for (std::size_t i = 0; i < value.size(); ++i) {
        auto const byte = std::to_integer<unsigned>(value[i]);
        text[2 * i] = kDigits[byte >> 4];
        text[2 * i + 1] = kDigits[byte & 15U];
    }
    return text;
}

std::string Digest::to_string() const {
    return std::string{kPrefix} + hex();
}

std::string Digest::short_hex() const {
    return hex().substr(0, 12);
}

Result<Digest> Digest::parse(std::string_view text) {
    if (!text.starts_with(kPrefix)) {
        return fail(Errno::einval, "",
                    "not a sha256 digest: \"" + std::string{text.substr(0, 100)} + '"');
    }
    return parse_hex(text.substr(kPrefix.size()));
}

Result<Digest> Digest::parse_hex(std::string_view text) {
    Digest digest;
    bool valid = text.size() == 2 * digest.value.size();
    for (std::size_t i = 0; valid && i < digest.value.size(); ++i) {
        int const high = hex_value(text[2 * i]);
        int const low = hex_value(text[2 * i + 1]);
        valid = high >= 0 && low >= 0;
        if (valid) {
            digest.value[i] = static_cast<std::byte>(high * 16 + low);
        }
    }
    if (!valid) {
        return fail(Errno::einval, "",
                    "not a sha256 digest: \"" + std::string{text.substr(0, 100)} + '"');
    }
    return digest;
}

void Sha256::Free::operator()(void* context) const noexcept {
    EVP_MD_CTX_free(as_context(context));
}

Sha256::Sha256() : context_(EVP_MD_CTX_new()) {
    require(context_ != nullptr
                ? EVP_DigestInit_ex(as_context(context_.get()), EVP_sha256(), nullptr)
                : 0);
}

Sha256::~Sha256() = default;
Sha256::Sha256(Sha256&&) noexcept = default;
Sha256& Sha256::operator=(Sha256&&) noexcept = default;

void Sha256::update(ByteView data) {
    require(EVP_DigestUpdate(as_context(context_.get()), data.data(), data.size()));
}

Digest Sha256::finish() {
    Digest digest;
    unsigned int size = 0;
    require(EVP_DigestFinal_ex(as_context(context_.get()), uchars_of(MutableBytes{digest.value}),
                               &size));
    require(EVP_DigestInit_ex(as_context(context_.get()), EVP_sha256(), nullptr));
    return digest;
}

Digest sha256(ByteView data) {
    Sha256 hash;
    hash.update(data);
    return hash.finish();
}

Hash128 xxh3_128(ByteView data) {
    XXH128_hash_t const hash = XXH3_128bits(data.data(), data.size());
    return {hash.low64, hash.high64};
}

std::uint64_t xxh3_64(ByteView data, std::uint64_t seed) {
    return XXH3_64bits_withSeed(data.data(), data.size(), seed);
}

}  // namespace oblea::base
