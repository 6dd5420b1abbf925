// SPDX-License-Identifier: MIT
// The two hashes: SHA-256 (OpenSSL) for identity, XXH3 for fast checks and tables.
//
// Objects are not thread-safe; functions are.
#pragma once
#include "store/base/bytes.h"
#include "store/base/error.h"

#include <array>
#include <compare>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace oblea::base {

// A SHA-256 digest. The only algorithm that the store keeps; its text form is "sha256:<64
// lower-case hex digits>".
struct Digest {
    std::array<std::byte, 32> value{};

    auto operator<=>(Digest const&) const = default;
    [[nodiscard]] std::string hex() const;        // 64 digits
    [[nodiscard]] std::string to_string() const;  // "sha256:" + hex
    [[nodiscard]] std::string short_hex() const;  // the first 12 digits, as image tools show ids

    // Errors: EINVAL when `text` is not "sha256:" and 64 lower-case hex digits; the message names
    // the text.
    static Result<Digest> parse(std::string_view text);
    // The same without the prefix.
    static Result<Digest> parse_hex(std::string_view text);
};

class Sha256 {
public:
    Sha256();
    ~Sha256();
    Sha256(Sha256&&) noexcept;
    Sha256& operator=(Sha256&&) noexcept;
    Sha256(Sha256 const&);  // goes on from where the other one is
    Sha256& operator=(Sha256 const&) = delete;

    void update(ByteView data);
    // The same bytes for both, two different ones: at the price of one where the processor is an
    // x86 with SHA instructions, and both are between two blocks.
    static void update_both(Sha256& one, Sha256& other, ByteView data);
    [[nodiscard]] Digest finish();  // ends the stream and starts a new one

private:
    struct State;
    std::unique_ptr<State> state_;
};

[[nodiscard]] Digest sha256(ByteView data);
inline Digest sha256(std::string_view text) {
    return sha256(bytes_of(text));
}

struct Hash128 {
    std::uint64_t low = 0;
    std::uint64_t high = 0;
    auto operator<=>(Hash128 const&) const = default;
};

[[nodiscard]] Hash128 xxh3_128(ByteView data);
[[nodiscard]] std::uint64_t xxh3_64(ByteView data, std::uint64_t seed = 0);

}  // namespace oblea::base

template <>
struct std::hash<oblea::base::Digest> {
    std::size_t operator()(oblea::base::Digest const& digest) const noexcept {
        return static_cast<std::size_t>(oblea::base::load_le<std::uint64_t>(digest.value.data()));
    }
};
