// SPDX-License-Identifier: MIT
#include "tools/output/plain_text.h"

#include <fmt/format.h>

#include <algorithm>

namespace oblea::tools {

namespace {

bool starts_code_point(char c) {
    return (static_cast<unsigned char>(c) & 0xC0U) != 0x80U;
}

// U+0080 to U+009F: some terminals act on them as on escape sequences.
bool is_c1_control(std::string_view text) {
    return text.size() > 1 && text[0] == '\xC2' && static_cast<unsigned char>(text[1]) < 0xA0;
}

}  // namespace

std::string one_line(std::string_view text) {
    std::string result;
    for (std::size_t i = 0; i < text.size(); ++i) {
        char const c = text[i];
        auto const byte = static_cast<unsigned char>(c);
        if (is_c1_control(text.substr(i))) {
            result += fmt::format("\\x{:02x}", static_cast<unsigned char>(text[++i]));
        } else if (c == '\n') {
            result += "\\n";
        } else if (c == '\t') {
            result += "\\t";
        } else if (byte < 0x20 || byte == 0x7F) {
            result += fmt::format("\\x{:02x}", byte);
        } else {
            result += c;
        }
    }
    return result;
}

std::size_t display_width(std::string_view text) {
    return static_cast<std::size_t>(std::ranges::count_if(text, starts_code_point));
}

std::string cut_to_width(std::string_view text, std::size_t width) {
    if (display_width(text) <= width) {
        return std::string{text};
    }
    if (width == 0) {
        return {};
    }
    std::size_t points = 0;
    std::size_t end = 0;
    for (; end < text.size(); ++end) {
        if (starts_code_point(text[end]) && points++ == width - 1) {
            break;
        }
    }
    return std::string{text.substr(0, end)} + "…";
}

std::string wrap(std::string_view text, std::size_t width, std::size_t indent) {
    std::string result;
    std::size_t column = 0;
    while (!text.empty()) {
        std::size_t const end = std::min(text.find(' '), text.size());
        std::string_view const word = text.substr(0, end);
        text.remove_prefix(std::min(end + 1, text.size()));
        std::size_t const word_width = display_width(word);
        if (column != 0 && column + 1 + word_width > width) {
            result += '\n' + std::string(indent, ' ');
            column = 0;
        } else if (column != 0) {
            result += ' ';
            ++column;
        }
        result += word;
        column += word_width;
    }
    return result;
}

}  // namespace oblea::tools
