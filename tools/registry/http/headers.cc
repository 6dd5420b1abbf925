// SPDX-License-Identifier: MIT
#include "tools/registry/http/headers.h"

#include "store/base/text.h"

#include <algorithm>
#include <charconv>

namespace oblea::registry {

namespace {

using base::lowered;
using base::trimmed;

// Cuts tokens and quoted strings off the front of a field.
class Cutter {
public:
    explicit Cutter(std::string_view text) : rest_(text) {}

    void skip(std::string_view characters) {
        rest_.remove_prefix(std::min(rest_.find_first_not_of(characters), rest_.size()));
    }
    [[nodiscard]] bool at_end() const { return rest_.empty(); }
    [[nodiscard]] bool take(char c) {
        if (!rest_.starts_with(c)) {
            return false;
        }
        rest_.remove_prefix(1);
        return true;
    }
    std::string token() {
        auto const end = std::min(rest_.find_first_of(" \t,;=\""), rest_.size());
        std::string word{rest_.substr(0, end)};
        rest_.remove_prefix(end);
        return word;
    }
    std::string value() {
        if (!take('"')) {
            auto const end = std::min(rest_.find_first_of(" \t,;\""), rest_.size());
            std::string word{rest_.substr(0, end)};
            rest_.remove_prefix(end);
            return word;
        }
        std::string text;
        while (!rest_.empty() && !take('"')) {
            if (rest_.front() == '\\' && rest_.size() > 1) {
                rest_.remove_prefix(1);
            }
            text += rest_.front();
            rest_.remove_prefix(1);
        }
        return text;
    }
    void drop_one() { rest_.remove_prefix(std::min<std::size_t>(1, rest_.size())); }

private:
    std::string_view rest_;
};

void parse_challenge_field(std::string_view field, std::vector<Challenge>& challenges) {
    Cutter cutter{field};
    for (;;) {
        cutter.skip(" \t,");
        if (cutter.at_end()) {
            return;
        }
        std::string const word = cutter.token();
        cutter.skip(" \t");
        if (word.empty()) {
            cutter.drop_one();  // not of this grammar
        } else if (cutter.take('=')) {
            cutter.skip(" \t");
            std::string value = cutter.value();
            if (!challenges.empty()) {
                challenges.back().parameters.emplace(lowered(word), std::move(value));
            }
        } else {
            challenges.push_back({.scheme = lowered(word), .parameters = {}});
        }
    }
}

}  // namespace

void Headers::add(std::string_view name, std::string_view value) {
    fields_.emplace_back(lowered(trimmed(name)), trimmed(value));
}

std::string Headers::first(std::string_view name) const {
    auto const at = std::ranges::find(
        fields_, name, [](auto const& field) { return std::string_view{field.first}; });
    return at == fields_.end() ? std::string{} : at->second;
}

std::vector<std::string> Headers::all(std::string_view name) const {
    std::vector<std::string> values;
    for (auto const& [key, value] : fields_) {
        if (key == name) {
            values.push_back(value);
        }
    }
    return values;
}

std::vector<Challenge> parse_challenges(std::vector<std::string> const& fields) {
    std::vector<Challenge> challenges;
    for (auto const& field : fields) {
        parse_challenge_field(field, challenges);
    }
    return challenges;
}

std::optional<std::string> parse_next_link(std::string_view field) {
    while (!field.empty()) {
        auto const open = field.find('<');
        auto const close = field.find('>', open == std::string_view::npos ? 0 : open);
        if (open == std::string_view::npos || close == std::string_view::npos) {
            return std::nullopt;
        }
        std::string_view const target = field.substr(open + 1, close - open - 1);
        field.remove_prefix(close + 1);
        // Parameters of this link reach to the comma before the next '<'.
        std::string_view const parameters = field.substr(0, field.find('<'));
        Cutter cutter{parameters};
        for (cutter.skip(" \t;,"); !cutter.at_end(); cutter.skip(" \t;,")) {
            std::string const name = lowered(cutter.token());
            std::string const value = cutter.take('=') ? cutter.value() : std::string{};
            if (name == "rel" && value == "next") {
                return std::string{target};
            }
            if (name.empty()) {
                cutter.drop_one();
            }
        }
        field.remove_prefix(parameters.size());
    }
    return std::nullopt;
}

std::optional<std::string> parse_warning(std::string_view field) {
    Cutter cutter{field};
    if (cutter.token() != "299") {
        return std::nullopt;
    }
    cutter.skip(" \t");
    cutter.token();  // the agent
    cutter.skip(" \t");
    std::string text = cutter.value();
    std::ranges::replace_if(
        text, [](char c) { return static_cast<unsigned char>(c) < ' ' || c == '\x7f'; }, ' ');
    return text.empty() ? std::nullopt : std::optional{std::move(text)};
}

std::optional<std::uint64_t> parse_decimal(std::string_view text) {
    std::uint64_t value = 0;
    auto const [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc{} || end != text.data() + text.size()) {
        return std::nullopt;
    }
    return value;
}

std::optional<std::uint64_t> parse_retry_after(std::string_view field) {
    return parse_decimal(trimmed(field));
}

std::optional<RateLimit> parse_rate_limit(std::string_view field) {
    auto const semicolon = std::min(field.find(';'), field.size());
    auto const count = parse_decimal(trimmed(field.substr(0, semicolon)));
    if (!count.has_value()) {
        return std::nullopt;
    }
    std::string_view const rest = trimmed(field.substr(std::min(semicolon + 1, field.size())));
    auto const window = rest.starts_with("w=") ? parse_decimal(rest.substr(2)) : std::nullopt;
    return RateLimit{.count = *count, .window_seconds = window.value_or(0)};
}

std::optional<ContentRange> parse_content_range(std::string_view field) {
    if (!field.starts_with("bytes ")) {
        return std::nullopt;
    }
    field.remove_prefix(6);
    auto const begin = parse_decimal(trimmed(field.substr(0, field.find('-'))));
    if (!begin.has_value()) {
        return std::nullopt;
    }
    auto const slash = field.find('/');
    return ContentRange{.begin = *begin,
                        .total_bytes = slash == std::string_view::npos
                                           ? std::nullopt
                                           : parse_decimal(trimmed(field.substr(slash + 1)))};
}

std::string media_type_of(std::string_view content_type) {
    return lowered(trimmed(content_type.substr(0, content_type.find(';'))));
}

}  // namespace oblea::registry
