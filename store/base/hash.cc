// SPDX-License-Identifier: MIT
// The states of two streams are advanced together, which only the functions of OpenSSL that it
// would rather hide let one do; they are quicker to start, too.
#define OPENSSL_SUPPRESS_DEPRECATED
#include "store/base/hash.h"

#include "store/base/sha256_pair.h"

#include <openssl/sha.h>
#include <xxhash.h>

#include <algorithm>

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

struct Sha256::State {
    SHA256_CTX context{};

    State() { start(); }
    // The calls below fail for no input: they return a number for the sake of other digests.
    void start() { static_cast<void>(SHA256_Init(&context)); }
    void update(ByteView data) {
        static_cast<void>(SHA256_Update(&context, data.data(), data.size()));
    }
    [[nodiscard]] bool is_between_blocks() const { return context.num == 0; }

    [[nodiscard]] Sha256Words words() const {
        Sha256Words words{};
        std::ranges::copy(context.h, words.begin());
        return words;
    }
    // After `bytes` more, whole blocks.
    void advance(Sha256Words const& words, std::size_t bytes) {
        std::ranges::copy(words, std::begin(context.h));
        std::uint64_t const bits =
            ((std::uint64_t{context.Nh} << 32U) | context.Nl) + 8 * std::uint64_t{bytes};
        context.Nl = static_cast<SHA_LONG>(bits);
        context.Nh = static_cast<SHA_LONG>(bits >> 32U);
    }
};

Sha256::Sha256() : state_(std::make_unique<State>()) {}
Sha256::~Sha256() = default;
Sha256::Sha256(Sha256&&) noexcept = default;
Sha256& Sha256::operator=(Sha256&&) noexcept = default;
Sha256::Sha256(Sha256 const& other) : state_(std::make_unique<State>(*other.state_)) {}

void Sha256::update(ByteView data) {
    state_->update(data);
}

void Sha256::update_both(Sha256& one, Sha256& other, ByteView data) {
    State& first = *one.state_;
    State& second = *other.state_;
    static bool const has_pair = has_sha256_pair();
    if (has_pair && first.is_between_blocks() && second.is_between_blocks()) {
        ByteView const blocks = data.first(data.size() - data.size() % kSha256BlockBytes);
        Sha256Words first_words = first.words();
        Sha256Words second_words = second.words();
        sha256_blocks_of_pair(first_words, second_words, blocks);
        first.advance(first_words, blocks.size());
        second.advance(second_words, blocks.size());
        data = data.subspan(blocks.size());
    }
    first.update(data);
    second.update(data);
}

Digest Sha256::finish() {
    Digest digest;
    static_cast<void>(SHA256_Final(uchars_of(MutableBytes{digest.value}), &state_->context));
    state_->start();
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
