// SPDX-License-Identifier: MIT
#include "tools/build/dockerfile/line_reader.h"

#include "tools/build/dockerfile/characters.h"

#include <fmt/format.h>

#include <algorithm>

namespace oblea::tools::dockerfile {

namespace {

std::string_view without_line_break(std::string_view line) {
    auto const last = line.find_last_not_of("\r\n");
    return last == std::string_view::npos ? std::string_view{} : line.substr(0, last + 1);
}

bool is_comment(std::string_view line) {
    return without_leading_spaces(line).starts_with('#');
}

struct Directive {
    std::string name;  // in lower case
    std::string_view value;
};

// "# name = value"; nothing for any other comment.
std::optional<Directive> parse_directive(std::string_view line) {
    std::string_view const text = without_spaces_around(line.substr(1));
    auto const equals = text.find('=');
    if (equals == std::string_view::npos || equals + 1 == text.size()) {
        return std::nullopt;
    }
    std::string_view const name = without_spaces_around(text.substr(0, equals));
    if (name.empty() || !is_letter(name.front()) ||
        !std::ranges::all_of(name, [](char c) { return is_letter(c) || is_digit(c); })) {
        return std::nullopt;
    }
    return Directive{lower_case(name), without_leading_spaces(text.substr(equals + 1))};
}

}  // namespace

LineReader::LineReader(std::string_view text) : rest_(text) {
    constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";
    if (rest_.starts_with(kByteOrderMark)) {
        rest_.remove_prefix(kByteOrderMark.size());
    }
}

std::string_view LineReader::take_line() {
    auto const end = rest_.find('\n');
    std::string_view const line = rest_.substr(0, end == std::string_view::npos ? end : end + 1);
    rest_.remove_prefix(line.size());
    ++line_;
    return line;
}

Status LineReader::take_directive(std::string_view line) {
    if (!directives_possible_) {
        return {};
    }
    auto const directive = line.starts_with('#') ? parse_directive(line) : std::nullopt;
    bool const known =
        directive.has_value() &&
        (directive->name == "escape" || directive->name == "syntax" || directive->name == "check");
    if (!known) {
        directives_possible_ = false;
        return {};
    }
    if (!directives_.insert(directive->name).second) {
        return fail(Errno::einval, "",
                    fmt::format("only one {} parser directive can be used", directive->name));
    }
    if (directive->name == "escape") {
        if (directive->value != "\\" && directive->value != "`") {
            return fail(
                Errno::einval, "",
                fmt::format("invalid escape token '{}' does not match ` or \\", directive->value));
        }
        escape_ = directive->value.front();
    }
    return {};
}

bool LineReader::take_continuation(std::string_view& line) const {
    auto const last = line.find_last_not_of(" \t");
    if (last == std::string_view::npos || line[last] != escape_ ||
        (last > 0 && line[last - 1] == escape_)) {
        return false;
    }
    line = line.substr(0, last);
    return true;
}

Result<std::optional<LineReader::Line>> LineReader::next() {
    while (!rest_.empty()) {
        std::string_view line = without_leading_spaces(without_line_break(take_line()));
        OBLEA_TRY(take_directive(line));
        if (is_comment(line)) {
            line = {};
        }
        std::size_t const first = line_;
        bool goes_on = take_continuation(line);
        if (!goes_on && line.empty()) {
            continue;
        }
        std::string text{line};
        while (goes_on && !rest_.empty()) {
            line = without_line_break(take_line());
            if (is_comment(line)) {
                continue;
            }
            if (without_leading_spaces(line).empty()) {
                empty_lines_.push_back(line_);
                continue;
            }
            goes_on = take_continuation(line);
            text += line;
        }
        if (without_leading_spaces(text).empty()) {
            continue;
        }
        return Line{{first, line_}, std::move(text)};
    }
    return std::nullopt;
}

Result<std::string> LineReader::read_heredoc(std::string_view name, bool chomp) {
    std::string content;
    while (!rest_.empty()) {
        std::string_view const line = take_line();
        std::string_view candidate = without_line_break(line);
        if (chomp) {
            candidate.remove_prefix(std::min(candidate.find_first_not_of('\t'), candidate.size()));
        }
        if (candidate == name) {
            return content;
        }
        content += line;
    }
    return fail(Errno::einval, "",
                fmt::format("unterminated heredoc: no line is just \"{}\"", name));
}

}  // namespace oblea::tools::dockerfile
