// SPDX-License-Identifier: MIT
// Kinds of characters, and words made of them, as the Dockerfile has them: of ASCII, whatever the
// locale is. Pure.
#pragma once
#include <string>
#include <string_view>

namespace oblea::tools::dockerfile {

inline constexpr std::string_view kSpaces = " \t\n\v\f\r";

[[nodiscard]] constexpr bool is_space(char c) {
    return kSpaces.find(c) != std::string_view::npos;
}
[[nodiscard]] constexpr bool is_blank(char c) {
    return c == ' ' || c == '\t' || c == '\r';
}
[[nodiscard]] constexpr bool is_digit(char c) {
    return c >= '0' && c <= '9';
}
[[nodiscard]] constexpr bool is_letter(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}
[[nodiscard]] constexpr bool is_name_character(char c) {
    return is_letter(c) || is_digit(c) || c == '_';
}

[[nodiscard]] constexpr std::string_view without_leading_spaces(std::string_view text) {
    auto const first = text.find_first_not_of(kSpaces);
    return first == std::string_view::npos ? std::string_view{} : text.substr(first);
}
[[nodiscard]] constexpr std::string_view without_spaces_around(std::string_view text) {
    text = without_leading_spaces(text);
    auto const last = text.find_last_not_of(kSpaces);
    return last == std::string_view::npos ? std::string_view{} : text.substr(0, last + 1);
}

[[nodiscard]] inline std::string upper_case(std::string_view text) {
    std::string upper{text};
    for (char& c : upper) {
        c = c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
    }
    return upper;
}
[[nodiscard]] inline std::string lower_case(std::string_view text) {
    std::string lower{text};
    for (char& c : lower) {
        c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    }
    return lower;
}

}  // namespace oblea::tools::dockerfile
