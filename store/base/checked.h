// SPDX-License-Identifier: MIT
// Arithmetic on numbers that come from outside: overflow is an answer, never a wrap.
#pragma once
#include <concepts>
#include <optional>
#include <utility>

namespace oblea::base {

template <std::integral T>
[[nodiscard]] constexpr std::optional<T> checked_add(T left, T right) {
    T sum{};
    if (__builtin_add_overflow(left, right, &sum)) {
        return std::nullopt;
    }
    return sum;
}

template <std::integral T>
[[nodiscard]] constexpr std::optional<T> checked_mul(T left, T right) {
    T product{};
    if (__builtin_mul_overflow(left, right, &product)) {
        return std::nullopt;
    }
    return product;
}

// The value in a narrower or differently signed type, if it fits.
template <std::integral To, std::integral From>
[[nodiscard]] constexpr std::optional<To> checked_cast(From value) {
    if (!std::in_range<To>(value)) {
        return std::nullopt;
    }
    return static_cast<To>(value);
}

// Whether [offset, offset + size) lies within [0, limit).
template <std::unsigned_integral T>
[[nodiscard]] constexpr bool range_fits(T offset, T size, T limit) {
    return offset <= limit && size <= limit - offset;
}

}  // namespace oblea::base
