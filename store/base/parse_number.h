// SPDX-License-Identifier: MIT
// A number that is all of a text. Pure.
#pragma once
#include <charconv>
#include <concepts>
#include <optional>
#include <string_view>

namespace oblea::base {

// nullopt for an empty text, for one with anything else in it (blanks and "+" too), and for what T
// cannot hold.
template <std::integral T>
[[nodiscard]] std::optional<T> parse_number(std::string_view text, int number_base = 10) {
    T value{};
    char const* const end = text.data() + text.size();
    auto const [stopped, error] = std::from_chars(text.data(), end, value, number_base);
    return error == std::errc{} && stopped == end ? std::optional{value} : std::nullopt;
}

}  // namespace oblea::base
