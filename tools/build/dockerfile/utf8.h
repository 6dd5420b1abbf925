// SPDX-License-Identifier: MIT
// Texts as characters, for patterns whose '?' is one of them, not a byte. Any bytes go in and come
// out again. Pure.
#pragma once
#include <string>
#include <string_view>

namespace oblea::tools::dockerfile {

// One value for each sequence of UTF-8; ASCII is itself. Others serve only to be compared, and to
// be made bytes again.
[[nodiscard]] std::u32string to_characters(std::string_view text);

void append(std::string& text, char32_t character);
[[nodiscard]] std::string to_text(std::u32string_view characters);

}  // namespace oblea::tools::dockerfile
