// SPDX-License-Identifier: MIT
#include "tools/cli/filters.h"

#include "tools/cli/suggest.h"
#include "tools/output/human.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <ctime>
#include <limits>
#include <regex>

namespace oblea::tools {

namespace {

std::string_view trim(std::string_view text) {
    constexpr std::string_view kSpaces = " \t\r\n";
    std::size_t const first = std::min(text.find_first_not_of(kSpaces), text.size());
    return text.substr(first, text.find_last_not_of(kSpaces) + 1 - first);
}

std::string lower(std::string_view text) {
    std::string result{text};
    std::ranges::transform(result, result.begin(), [](char c) {
        return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    });
    return result;
}

std::optional<bool> parse_truth(std::string_view text) {
    constexpr std::array<std::string_view, 6> kTrue{"1", "t", "T", "TRUE", "true", "True"};
    constexpr std::array<std::string_view, 6> kFalse{"0", "f", "F", "FALSE", "false", "False"};
    if (std::ranges::find(kTrue, text) != kTrue.end()) {
        return true;
    }
    return std::ranges::find(kFalse, text) != kFalse.end() ? std::optional{false} : std::nullopt;
}

// "2021-03-04", "2021-03-04T05:06", "2021-03-04T05:06:07", of the local time zone.
std::optional<std::int64_t> parse_local_time(std::string_view text) {
    constexpr std::string_view kRest = "0000-01-01T00:00:00";
    bool const known = text.size() == 10 || text.size() == 13 || text.size() == 16 ||
                       (text.size() >= 19 && (text.size() == 19 || text[19] == '.'));
    if (!known) {
        return std::nullopt;
    }
    std::string whole{text.substr(0, 19)};
    whole += kRest.substr(whole.size());
    auto const as_utc = parse_rfc3339(whole + 'Z');
    if (!as_utc.has_value()) {
        return std::nullopt;
    }
    auto const seconds = static_cast<std::time_t>(*as_utc);
    std::tm parts{};
    if (::gmtime_r(&seconds, &parts) == nullptr) {
        return std::nullopt;
    }
    parts.tm_isdst = -1;
    return static_cast<std::int64_t>(::mktime(&parts));
}

std::optional<std::int64_t> parse_seconds(std::string_view text) {
    std::int64_t value = 0;
    std::string_view const whole = text.substr(0, text.find('.'));
    auto const [end, code] = std::from_chars(whole.data(), whole.data() + whole.size(), value);
    return code == std::errc{} && end == whole.data() + whole.size() ? std::optional{value}
                                                                     : std::nullopt;
}

std::optional<std::int64_t> parse_time(std::string_view text, std::int64_t now) {
    if (auto const age = parse_duration(text); age.has_value()) {
        constexpr double kAgeMax = 1e15;
        return std::abs(*age) < kAgeMax
                   ? std::optional{now - static_cast<std::int64_t>(std::llround(*age))}
                   : std::nullopt;
    }
    if (auto const exact = parse_rfc3339(text); exact.has_value()) {
        return exact;
    }
    if (auto const local = parse_local_time(text); local.has_value()) {
        return local;
    }
    return parse_seconds(text);
}

// "[a-z^]" of a pattern, its brackets taken off.
class CharacterClass {
public:
    // Takes the class off the front of `pattern`, which stands behind "[".
    static Result<CharacterClass> take(std::string_view& pattern) {
        CharacterClass result;
        if (!pattern.empty() && pattern.front() == '^') {
            result.negated_ = true;
            pattern.remove_prefix(1);
        }
        while (pattern.empty() || pattern.front() != ']' || result.ranges_.empty()) {
            char const first = OBLEA_TRY(take_character(pattern));
            char last = first;
            if (!pattern.empty() && pattern.front() == '-') {
                pattern.remove_prefix(1);
                last = OBLEA_TRY(take_character(pattern));
            }
            result.ranges_.emplace_back(first, last);
        }
        pattern.remove_prefix(1);
        return result;
    }

    [[nodiscard]] bool has(char c) const {
        bool const found = std::ranges::any_of(
            ranges_, [&](auto const& range) { return range.first <= c && c <= range.second; });
        return found != negated_;
    }

private:
    static Result<char> take_character(std::string_view& pattern) {
        bool const escaped = !pattern.empty() && pattern.front() == '\\';
        if (escaped) {
            pattern.remove_prefix(1);
        }
        if (pattern.empty() || (!escaped && (pattern.front() == '-' || pattern.front() == ']'))) {
            return fail(Errno::einval, "", "syntax error in pattern");
        }
        char const c = pattern.front();
        pattern.remove_prefix(1);
        return c;
    }

    std::vector<std::pair<char, char>> ranges_;
    bool negated_ = false;
};

// One step of a pattern.
struct PatternPart {
    enum class Kind { character, any, some, deep } kind = Kind::character;
    CharacterClass characters;
    bool is_class = false;
    char character = '\0';

    [[nodiscard]] bool takes(char c) const {
        switch (kind) {
        case Kind::character:
            return is_class ? c != '/' && characters.has(c) : c == character;
        case Kind::any:
        case Kind::some:
            return c != '/';
        case Kind::deep:
            return true;
        }
        return false;
    }
};

Result<std::vector<PatternPart>> parse_pattern(std::string_view pattern) {
    std::vector<PatternPart> parts;
    while (!pattern.empty()) {
        PatternPart part;
        char const c = pattern.front();
        pattern.remove_prefix(1);
        if (c == '*') {
            part.kind = PatternPart::Kind::some;
            while (pattern.starts_with('*')) {
                part.kind = PatternPart::Kind::deep;
                pattern.remove_prefix(1);
            }
        } else if (c == '?') {
            part.kind = PatternPart::Kind::any;
        } else if (c == '[') {
            part.is_class = true;
            part.characters = OBLEA_TRY(CharacterClass::take(pattern));
        } else if (c == '\\') {
            if (pattern.empty()) {
                return fail(Errno::einval, "", "syntax error in pattern");
            }
            part.character = pattern.front();
            pattern.remove_prefix(1);
        } else {
            part.character = c;
        }
        parts.push_back(std::move(part));
    }
    return parts;
}

}  // namespace

Result<Filters> Filters::parse(std::span<std::string const> words,
                               std::vector<std::string> const& known) {
    Filters filters;
    for (auto const& word : words) {
        std::size_t const equals = word.find('=');
        if (equals == std::string::npos) {
            return fail(Errno::einval, "", "bad format of filter (expected name=value)");
        }
        std::string_view key_text = std::string_view{word}.substr(0, equals);
        // "label!=x" has a key of its own.
        std::string const key = lower(trim(key_text));
        if (std::ranges::find(known, key) == known.end()) {
            auto const nearest = suggest(key, known);
            return fail(Errno::einval, "",
                        fmt::format("invalid filter '{}'{}", key,
                                    nearest ? fmt::format("; did you mean '{}'?", *nearest) : ""));
        }
        filters.values_[key].emplace_back(trim(std::string_view{word}.substr(equals + 1)));
    }
    return filters;
}

std::vector<std::string> const& Filters::of(std::string const& key) const {
    static std::vector<std::string> const none;
    auto const found = values_.find(key);
    return found == values_.end() ? none : found->second;
}

Result<std::optional<bool>> Filters::flag(std::string const& key) const {
    auto const& values = of(key);
    if (values.empty()) {
        return std::optional<bool>{};
    }
    auto const truth = parse_truth(values.back());
    if (!truth.has_value()) {
        return fail(Errno::einval, "", fmt::format("invalid filter '{}={}'", key, values.back()));
    }
    return truth;
}

Result<std::optional<std::int64_t>> Filters::time(std::string const& key, std::int64_t now) const {
    std::optional<std::int64_t> earliest;
    for (auto const& value : of(key)) {
        auto const time = parse_time(value, now);
        if (!time.has_value()) {
            return fail(Errno::einval, "",
                        fmt::format("invalid filter '{}={}': it takes an age (24h, 1h30m), a date "
                                    "(2006-01-02), a time (2006-01-02T15:04:05) or seconds since "
                                    "1970",
                                    key, value));
        }
        earliest = std::min(earliest.value_or(std::numeric_limits<std::int64_t>::max()), *time);
    }
    return earliest;
}

bool has_labels(Labels const& labels, std::span<std::string const> wanted) {
    return std::ranges::all_of(wanted, [&](std::string const& label) {
        std::size_t const equals = label.find('=');
        auto const found = labels.find(label.substr(0, equals));
        return found != labels.end() &&
               (equals == std::string::npos || found->second == label.substr(equals + 1));
    });
}

std::optional<double> parse_duration(std::string_view text) {
    struct Unit {
        std::string_view name;
        double seconds;
    };
    // The longer names first.
    constexpr std::array kUnits{Unit{"ns", 1e-9}, Unit{"us", 1e-6}, Unit{"µs", 1e-6},
                                Unit{"ms", 1e-3}, Unit{"s", 1},     Unit{"m", 60},
                                Unit{"h", 3600}};
    bool const negative = text.starts_with('-');
    if (negative || text.starts_with('+')) {
        text.remove_prefix(1);
    }
    if (text == "0") {
        return 0;
    }
    if (text.empty()) {
        return std::nullopt;
    }
    double seconds = 0;
    while (!text.empty()) {
        double number = 0;
        auto const [end, code] = std::from_chars(text.data(), text.data() + text.size(), number,
                                                 std::chars_format::fixed);
        if (code != std::errc{} || text.front() == '-') {
            return std::nullopt;
        }
        text.remove_prefix(static_cast<std::size_t>(end - text.data()));
        auto const unit = std::ranges::find_if(
            kUnits, [&](Unit const& candidate) { return text.starts_with(candidate.name); });
        if (unit == kUnits.end()) {
            return std::nullopt;
        }
        seconds += number * unit->seconds;
        text.remove_prefix(unit->name.size());
    }
    return negative ? -seconds : seconds;
}

Result<bool> match_path(std::string_view pattern, std::string_view text) {
    auto const parts = OBLEA_TRY(parse_pattern(pattern));
    // What can follow after each prefix of the text: reachable positions in the pattern.
    std::vector<bool> reachable(parts.size() + 1, false);
    reachable[0] = true;
    auto skip_stars = [&](std::vector<bool>& positions) {
        for (std::size_t i = 0; i < parts.size(); ++i) {
            bool const star = parts[i].kind == PatternPart::Kind::some ||
                              parts[i].kind == PatternPart::Kind::deep;
            if (positions[i] && star) {
                positions[i + 1] = true;
            }
        }
    };
    skip_stars(reachable);
    for (char const c : text) {
        std::vector<bool> next(parts.size() + 1, false);
        for (std::size_t i = 0; i < parts.size(); ++i) {
            if (!reachable[i] || !parts[i].takes(c)) {
                continue;
            }
            bool const star = parts[i].kind == PatternPart::Kind::some ||
                              parts[i].kind == PatternPart::Kind::deep;
            next[star ? i : i + 1] = true;
        }
        reachable = std::move(next);
        skip_stars(reachable);
    }
    return reachable.back();
}

Result<NameMatcher> name_matcher(std::string const& pattern) {
    try {
        std::regex const expression{pattern, std::regex::extended};
        return NameMatcher{
            [expression](std::string const& name) { return std::regex_search(name, expression); }};
    } catch (std::regex_error const&) {
        return fail(Errno::einval, "", fmt::format("invalid filter 'name={}'", pattern));
    }
}

}  // namespace oblea::tools
