// SPDX-License-Identifier: MIT
#include "tools/build/dockerfile/utf8.h"

#include <algorithm>

namespace oblea::tools::dockerfile {

namespace {

// A byte that is no UTF-8 becomes a value past Unicode, so that it comes back as it was.
constexpr char32_t kStrayByte = 0x110000;

bool continues(char c) {
    return (static_cast<unsigned char>(c) & 0xC0U) == 0x80U;
}

std::size_t sequence_length(std::string_view text) {
    auto const lead = static_cast<unsigned char>(text.front());
    std::size_t const wanted = lead >= 0xF8U   ? 1
                               : lead >= 0xF0U ? 4
                               : lead >= 0xE0U ? 3
                               : lead >= 0xC0U ? 2
                                               : 1;
    if (lead < 0x80U || wanted == 1 || text.size() < wanted ||
        !std::ranges::all_of(text.substr(1, wanted - 1), continues)) {
        return 1;
    }
    return wanted;
}

}  // namespace

// Only taken apart and put together again: the bits of a sequence are kept as they stand.
std::u32string to_characters(std::string_view text) {
    std::u32string characters;
    while (!text.empty()) {
        std::size_t const length = sequence_length(text);
        auto const lead = static_cast<unsigned char>(text.front());
        if (length == 1) {
            characters += lead < 0x80U ? char32_t{lead} : kStrayByte + lead;
        } else {
            char32_t character = lead & (0xFFU >> (length + 1));
            for (char const c : text.substr(1, length - 1)) {
                character = (character << 6U) | (static_cast<unsigned char>(c) & 0x3FU);
            }
            // Lengths are told apart by the bits above all that four bytes can hold.
            characters.push_back(character | (static_cast<char32_t>(length) << 24U));
        }
        text.remove_prefix(length);
    }
    return characters;
}

void append(std::string& text, char32_t character) {
    auto const length = character >> 24U;
    if (length == 0) {
        text += static_cast<char>(character >= kStrayByte ? character - kStrayByte : character);
        return;
    }
    char32_t const bits = character & 0xFFFFFFU;
    auto const lead_mark = static_cast<unsigned char>(0xFFU << (8 - length));
    text += static_cast<char>(lead_mark | (bits >> (6 * (length - 1))));
    for (char32_t rest = length - 1; rest > 0; --rest) {
        text += static_cast<char>(0x80U | ((bits >> (6 * (rest - 1))) & 0x3FU));
    }
}

std::string to_text(std::u32string_view characters) {
    std::string text;
    for (char32_t const character : characters) {
        append(text, character);
    }
    return text;
}

}  // namespace oblea::tools::dockerfile
