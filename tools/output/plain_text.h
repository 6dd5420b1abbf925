// SPDX-License-Identifier: MIT
// Makes texts safe to show: what an archive calls its members must not move a terminal's cursor.
// Pure.
#pragma once
#include <string>
#include <string_view>

namespace oblea::tools {

// Control characters become escapes as C writes them (\n, \x1b); everything else stays, UTF-8
// too.
[[nodiscard]] std::string one_line(std::string_view text);

// Code points of UTF-8 text; a stray byte counts as one.
[[nodiscard]] std::size_t display_width(std::string_view text);

// At most `width` code points, the last of them an ellipsis when something was cut.
[[nodiscard]] std::string cut_to_width(std::string_view text, std::size_t width);

// Breaks text at spaces into lines of at most `width` code points; a longer word gets a line of its
// own.
[[nodiscard]] std::string wrap(std::string_view text, std::size_t width, std::size_t indent);

}  // namespace oblea::tools
