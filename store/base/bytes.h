// SPDX-License-Identifier: MIT
// Bytes as spans, little-endian loads and stores, and the few casts between bytes and characters
// that the project needs.
#pragma once
#include <bit>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>
#include <type_traits>
#include <vector>

namespace oblea::base {

using Bytes = std::vector<std::byte>;
using ByteView = std::span<std::byte const>;
using MutableBytes = std::span<std::byte>;

inline ByteView bytes_of(std::string_view text) {
    return {reinterpret_cast<std::byte const*>(text.data()), text.size()};
}

inline std::string_view text_of(ByteView bytes) {
    return {reinterpret_cast<char const*>(bytes.data()), bytes.size()};
}

inline unsigned char const* uchars_of(ByteView bytes) {
    return reinterpret_cast<unsigned char const*>(bytes.data());
}

inline unsigned char* uchars_of(MutableBytes bytes) {
    return reinterpret_cast<unsigned char*>(bytes.data());
}

// The records that `bytes` holds, used in place. T is an on-disk struct of little-endian fields;
// the caller has checked that the bytes are aligned for it. A rest shorter than a record is left
// out.
template <typename T>
    requires std::is_trivially_copyable_v<T>
[[nodiscard]] std::span<T const> records_of(ByteView bytes) {
    return {reinterpret_cast<T const*>(bytes.data()), bytes.size() / sizeof(T)};
}

template <typename T>
    requires std::is_trivially_copyable_v<T>
[[nodiscard]] std::span<T> records_of(MutableBytes bytes) {
    return {reinterpret_cast<T*>(bytes.data()), bytes.size() / sizeof(T)};
}

// The caller has checked that `at` holds sizeof(T) bytes. Any alignment.
template <std::unsigned_integral T>
[[nodiscard]] T load_le(std::byte const* at) {
    static_assert(std::endian::native == std::endian::little,
                  "big-endian machines are not supported yet");
    T value{};
    std::memcpy(&value, at, sizeof(T));
    return value;
}

template <std::unsigned_integral T>
void store_le(std::byte* at, T value) {
    static_assert(std::endian::native == std::endian::little,
                  "big-endian machines are not supported yet");
    std::memcpy(at, &value, sizeof(T));
}

}  // namespace oblea::base
