// SPDX-License-Identifier: MIT
#include "tools/build/dockerfile/pattern.h"

#include "tools/build/dockerfile/utf8.h"

#include <fmt/format.h>

#include <algorithm>

namespace oblea::tools::dockerfile {

Result<Pattern> Pattern::parse(std::string_view text) {
    Pattern pattern;
    std::u32string const characters = to_characters(text);
    for (std::size_t i = 0; i < characters.size(); ++i) {
        char32_t c = characters[i];
        Part::Kind kind = c == U'*'   ? Part::Kind::any_text
                          : c == U'?' ? Part::Kind::any_character
                                      : Part::Kind::literal;
        if (c == U'\\') {
            c = i + 1 < characters.size() ? characters[++i] : U'\0';
            if (std::u32string_view{U"*?\\}/"}.find(c) == std::u32string_view::npos) {
                return fail(Errno::einval, "",
                            fmt::format("invalid pattern ({}) in substitution: a backslash stands "
                                        "only before *, ?, \\, }} and /",
                                        text));
            }
            kind = Part::Kind::literal;
        }
        pattern.parts_.push_back({.kind = kind, .character = c});
    }
    return pattern;
}

std::size_t Pattern::match(Parts const& parts, std::u32string_view value, Length length) {
    // The parts that may come next after what was read so far; the end stands behind the last.
    std::vector<bool> now(parts.size() + 1, false);
    auto skip_stars = [&] {
        for (std::size_t i = 0; i < parts.size(); ++i) {
            if (now[i] && parts[i].kind == Part::Kind::any_text) {
                now[i + 1] = true;
            }
        }
    };
    now[0] = true;
    skip_stars();
    std::size_t best = now.back() ? 0 : kNone;
    for (std::size_t read = 0; read < value.size(); ++read) {
        if (best != kNone && length == Length::shortest) {
            return best;
        }
        bool alive = false;
        for (std::size_t i = parts.size(); i-- > 0;) {
            // From the last to the first, so that no step is taken twice.
            bool const here = now[i];
            now[i + 1] = here && (parts[i].kind == Part::Kind::any_character ||
                                  (parts[i].kind == Part::Kind::literal &&
                                   parts[i].character == value[read]))
                             ? true
                             : (i + 1 < parts.size() && now[i + 1] &&
                                parts[i + 1].kind == Part::Kind::any_text);
            alive = alive || now[i + 1];
        }
        now[0] = now[0] && !parts.empty() && parts[0].kind == Part::Kind::any_text;
        if (!alive && !now[0]) {
            return best;
        }
        skip_stars();
        if (now.back()) {
            best = read + 1;
        }
    }
    return best;
}

std::string Pattern::without_prefix(std::string_view value, Length length) const {
    std::u32string const characters = to_characters(value);
    std::size_t const cut = match(parts_, characters, length);
    return to_text(std::u32string_view{characters}.substr(cut == kNone ? 0 : cut));
}

std::string Pattern::without_suffix(std::string_view value, Length length) const {
    std::u32string characters = to_characters(value);
    std::ranges::reverse(characters);
    std::size_t const cut = match(Parts(parts_.rbegin(), parts_.rend()), characters, length);
    characters.erase(0, cut == kNone ? 0 : cut);
    std::ranges::reverse(characters);
    return to_text(characters);
}

std::string Pattern::replaced(std::string_view value, std::string_view by, Which which) const {
    std::u32string const characters = to_characters(value);
    std::u32string_view rest{characters};
    std::string result;
    bool behind_match = false;  // where an empty match does not count
    while (true) {
        std::size_t const length = match(parts_, rest, Length::longest);
        if (length != kNone && (length > 0 || !behind_match)) {
            result += by;
            rest.remove_prefix(length);
            if (which == Which::first) {
                break;
            }
            behind_match = length > 0;
            if (length > 0) {
                continue;
            }
        }
        behind_match = false;
        if (rest.empty()) {
            break;
        }
        append(result, rest.front());
        rest.remove_prefix(1);
    }
    return result + to_text(rest);
}

}  // namespace oblea::tools::dockerfile
