// SPDX-License-Identifier: MIT
#include "tools/build/context/ignore_patterns.h"

#include "tools/build/dockerfile/characters.h"
#include "tools/build/dockerfile/utf8.h"

#include <fmt/format.h>

#include <algorithm>

namespace oblea::tools::build {

namespace {

using dockerfile::to_characters;

// The shortest path that means the same, as Go's filepath.Clean has it; ".." at the front stays,
// and so does a leading '/'.
std::string cleaned(std::string_view text) {
    bool const absolute = text.starts_with('/');
    std::vector<std::string_view> parts;
    while (!text.empty()) {
        std::string_view const part = text.substr(0, text.find('/'));
        text.remove_prefix(std::min(part.size() + 1, text.size()));
        if (part.empty() || part == ".") {
            continue;
        }
        if (part != "..") {
            parts.push_back(part);
        } else if (!parts.empty() && parts.back() != "..") {
            parts.pop_back();
        } else if (!absolute) {
            parts.push_back(part);
        }
    }
    std::string const joined = fmt::format("{}{}", absolute ? "/" : "", fmt::join(parts, "/"));
    return joined.empty() ? "." : joined;
}

auto bad_pattern(std::string_view pattern, std::string_view fault) {
    return fail(Errno::einval, "", fmt::format("pattern \"{}\": {}", pattern, fault));
}

}  // namespace

Result<IgnorePatterns> IgnorePatterns::parse_file(std::string_view text) {
    constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";
    if (text.starts_with(kByteOrderMark)) {
        text.remove_prefix(kByteOrderMark.size());
    }
    IgnorePatterns result;
    while (!text.empty()) {
        std::string_view const line = text.substr(0, text.find('\n'));
        text.remove_prefix(std::min(line.size() + 1, text.size()));
        if (!line.starts_with('#')) {
            OBLEA_TRY(result.add(line));
        }
    }
    return result;
}

Result<IgnorePatterns> IgnorePatterns::parse(std::span<std::string const> patterns) {
    IgnorePatterns result;
    for (std::string const& pattern : patterns) {
        OBLEA_TRY(result.add(pattern));
    }
    return result;
}

Status IgnorePatterns::add(std::string_view text) {
    std::string_view pattern = dockerfile::without_spaces_around(text);
    if (pattern.empty()) {
        return {};
    }
    bool const takes_back = pattern.starts_with('!');
    if (takes_back) {
        pattern = dockerfile::without_spaces_around(pattern.substr(1));
        if (pattern.empty()) {
            return bad_pattern(text, "nothing is behind the \"!\"");
        }
    }
    std::string clean = cleaned(pattern);
    if (clean.size() > 1 && clean.starts_with('/')) {
        clean.erase(0, 1);
    }
    auto parts = OBLEA_TRY(parse_parts(clean));
    patterns_.push_back({.parts = std::move(parts), .takes_back = takes_back});
    return {};
}

Result<std::vector<IgnorePatterns::Part>> IgnorePatterns::parse_parts(std::string_view text) {
    using Kind = Part::Kind;
    std::vector<Part> parts;
    std::u32string const characters = to_characters(text);
    std::u32string_view rest{characters};
    while (!rest.empty()) {
        char32_t const c = rest.front();
        if (rest.starts_with(U"**")) {
            bool const at_start = parts.empty();
            bool const slash = rest.substr(2).starts_with(U'/');
            rest.remove_prefix(slash ? 3 : 2);
            bool const plain = rest.find_first_of(U"*?[\\") == std::u32string_view::npos;
            // "**" stands for folders, but "**.o" for any path that ends so: docker has it so where
            // nothing else is special.
            if (rest.empty() || (at_start && !slash && plain)) {
                parts.push_back({.kind = Kind::anything});
            } else {
                parts.push_back({.kind = Kind::maybe_folders});
                parts.push_back({.kind = Kind::folders});
            }
            continue;
        }
        rest.remove_prefix(1);
        if (c == U'*') {
            parts.push_back({.kind = Kind::any_name});
        } else if (c == U'?') {
            parts.push_back({.kind = Kind::any_character});
        } else if (c == U'[') {
            parts.push_back(OBLEA_TRY(parse_set(rest, text)));
        } else if (c == U'\\') {
            if (rest.empty()) {
                return bad_pattern(text, "nothing is behind the backslash");
            }
            parts.push_back({.kind = Kind::literal, .character = rest.front()});
            rest.remove_prefix(1);
        } else {
            parts.push_back({.kind = Kind::literal, .character = c});
        }
    }
    return parts;
}

// What stands behind "[", up to "]", which is taken too.
Result<IgnorePatterns::Part> IgnorePatterns::parse_set(std::u32string_view& rest,
                                                       std::string_view whole) {
    Part set{.kind = Part::Kind::set};
    auto take = [&]() -> Result<char32_t> {
        if (rest.starts_with(U'\\')) {
            rest.remove_prefix(1);
        }
        if (rest.empty()) {
            return bad_pattern(whole, "a \"[\" is not closed");
        }
        char32_t const c = rest.front();
        rest.remove_prefix(1);
        return c;
    };
    if (rest.starts_with(U'^')) {
        set.negated = true;
        rest.remove_prefix(1);
    }
    while (set.ranges.empty() || !rest.starts_with(U']')) {
        char32_t const first = OBLEA_TRY(take());
        char32_t last = first;
        if (rest.starts_with(U'-') && !rest.substr(1).starts_with(U']')) {
            rest.remove_prefix(1);
            last = OBLEA_TRY(take());
        }
        set.ranges.emplace_back(first, last);
    }
    rest.remove_prefix(1);
    return set;
}

IgnorePatterns::Match IgnorePatterns::match(std::vector<Part> const& parts,
                                            std::u32string_view path) {
    using Kind = Part::Kind;
    // The parts that may come next after what was read so far; the end stands behind the last.
    std::vector<bool> now(parts.size() + 1, false);
    auto pass_empty = [&] {
        for (std::size_t i = 0; i < parts.size(); ++i) {
            Kind const kind = parts[i].kind;
            if (!now[i]) {
                continue;
            }
            if (kind == Kind::any_name || kind == Kind::anything) {
                now[i + 1] = true;
            } else if (kind == Kind::maybe_folders) {
                now[i + 1] = true;
                now[i + 2] = true;
            }
        }
    };
    now[0] = true;
    pass_empty();
    for (char32_t const c : path) {
        std::vector<bool> next(parts.size() + 1, false);
        for (std::size_t i = 0; i < parts.size(); ++i) {
            if (!now[i]) {
                continue;
            }
            Part const& part = parts[i];
            bool const slash = c == U'/';
            switch (part.kind) {
            case Kind::literal:
                next[i + 1] = next[i + 1] || part.character == c;
                break;
            case Kind::any_character:
                next[i + 1] = next[i + 1] || !slash;
                break;
            case Kind::set: {
                bool const inside = std::ranges::any_of(part.ranges, [&](auto const& range) {
                    return range.first <= c && c <= range.second;
                });
                next[i + 1] = next[i + 1] || inside != part.negated;
                break;
            }
            case Kind::any_name:
                next[i] = next[i] || !slash;
                break;
            case Kind::anything:
                next[i] = true;
                break;
            case Kind::maybe_folders:
                break;
            case Kind::folders:
                next[i] = true;
                next[i + 1] = next[i + 1] || slash;
                break;
            }
        }
        now = std::move(next);
        pass_empty();
    }
    if (now.back()) {
        return Match::yes;
    }
    return std::ranges::find(now, true) != now.end() ? Match::below : Match::no;
}

IgnorePatterns::Verdict IgnorePatterns::judge(base::RelPath const& path,
                                              State const& parent) const {
    std::u32string const characters = to_characters(path.string());
    Verdict verdict{.excluded = false, .state = State(patterns_.size(), false)};
    for (std::size_t i = 0; i < patterns_.size(); ++i) {
        Pattern const& pattern = patterns_[i];
        bool matches = !parent.empty() && parent[i];
        if (!matches) {
            // One that could change nothing is not tried. Its state is then "no" for what is in
            // this folder too: that is docker's rule, and a user of both would see any other.
            if (pattern.takes_back != verdict.excluded) {
                continue;
            }
            matches = match(pattern.parts, characters) == Match::yes;
        }
        verdict.state[i] = matches;
        if (matches) {
            verdict.excluded = !pattern.takes_back;
        }
    }
    return verdict;
}

bool IgnorePatterns::excludes(base::RelPath const& path) const {
    Verdict verdict;
    base::RelPath at;
    for (std::string_view const component : path.components()) {
        // Components of a path are names.
        at = at / base::Name::parse(component).value();
        verdict = judge(at, verdict.state);
    }
    return verdict.excluded;
}

bool IgnorePatterns::may_keep_below(base::RelPath const& folder) const {
    std::u32string const characters = to_characters(folder.string() + "/");
    return std::ranges::any_of(patterns_, [&](Pattern const& pattern) {
        return pattern.takes_back && match(pattern.parts, characters) != Match::no;
    });
}

}  // namespace oblea::tools::build
