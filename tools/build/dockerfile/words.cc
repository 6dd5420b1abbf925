// SPDX-License-Identifier: MIT
#include "tools/build/dockerfile/words.h"

#include "tools/build/dockerfile/characters.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>

namespace oblea::tools::dockerfile {

std::vector<std::string> split_at_spaces(std::string_view text) {
    std::vector<std::string> parts;
    for (text = without_leading_spaces(text); !text.empty(); text = without_leading_spaces(text)) {
        parts.emplace_back(text.substr(0, text.find_first_of(kSpaces)));
        text.remove_prefix(parts.back().size());
    }
    return parts;
}

std::vector<std::string> split_quoted(std::string_view text, char escape) {
    std::vector<std::string> words;
    std::string word;
    char quote = '\0';
    auto end_word = [&] {
        if (!word.empty()) {
            words.push_back(std::move(word));
            word.clear();
        }
    };
    for (std::size_t i = 0; i < text.size(); ++i) {
        char const c = text[i];
        if (quote == '\0' && is_space(c)) {
            end_word();
        } else if (c == escape && quote != '\'') {
            // An escape at the very end is nothing.
            word += i + 1 < text.size() ? text.substr(i, 2) : std::string_view{};
            ++i;
        } else {
            word += c;
            if (quote == '\0' && (c == '"' || c == '\'')) {
                quote = c;
            } else if (c == quote) {
                quote = '\0';
            }
        }
    }
    end_word();
    return words;
}

Result<std::optional<std::vector<std::string>>> exec_form(std::string_view text) {
    text = without_leading_spaces(text);
    if (!text.starts_with('[')) {
        return std::nullopt;
    }
    auto const array = nlohmann::json::parse(text, nullptr, false);
    if (!array.is_array()) {
        return std::nullopt;
    }
    if (!std::ranges::all_of(array, [](auto const& one) { return one.is_string(); })) {
        return fail(Errno::einval, "",
                    "when using JSON array syntax, arrays must be comprised of strings only");
    }
    return array.get<std::vector<std::string>>();
}

namespace {

Result<std::vector<Pair>> parse_spaced_pair(std::string_view text, std::string_view keyword) {
    auto const space = text.find_first_of(kSpaces);
    if (space == std::string_view::npos) {
        return fail(Errno::einval, "",
                    fmt::format("{} must have two arguments: {} NAME=VALUE ...", keyword, keyword));
    }
    std::vector<Pair> pairs;
    pairs.push_back({.name = std::string{text.substr(0, space)},
                     .value = std::string{without_leading_spaces(text.substr(space))},
                     .spaced = true});
    return pairs;
}

}  // namespace

Result<std::vector<Pair>> parse_pairs(std::string_view text, std::string_view keyword,
                                      char escape) {
    std::vector<std::string> const words = split_quoted(text, escape);
    if (words.empty()) {
        return fail(Errno::einval, "", fmt::format("{} requires at least one argument", keyword));
    }
    if (words.front().find('=') == std::string::npos) {
        return parse_spaced_pair(text, keyword);
    }
    std::vector<Pair> pairs;
    for (std::string const& word : words) {
        auto const equals = word.find('=');
        if (equals == std::string::npos) {
            return fail(Errno::einval, "",
                        fmt::format("Syntax error - can't find = in \"{}\". Must be of the form: "
                                    "name=value",
                                    word));
        }
        if (equals == 0) {
            return fail(Errno::einval, "", fmt::format("{} names can not be blank", keyword));
        }
        pairs.push_back({.name = word.substr(0, equals), .value = word.substr(equals + 1)});
    }
    return pairs;
}

std::optional<Heredoc> parse_heredoc_mark(std::string_view word) {
    // A number of a file, which only the shell needs, may stand in front.
    word.remove_prefix(std::min(word.find_first_not_of("0123456789"), word.size()));
    if (!word.starts_with("<<")) {
        return std::nullopt;
    }
    word.remove_prefix(2);
    bool const chomp = word.starts_with('-');
    word = without_leading_spaces(word.substr(chomp ? 1 : 0));
    if (word.empty() || word.find('<') != std::string_view::npos) {
        return std::nullopt;
    }
    // Quotes come off the name; variables are no variables there.
    auto const name = expand_words(word, '\\', [](std::string_view variable) {
        return std::optional{fmt::format("${}", variable)};
    });
    if (!name.has_value() || name->size() != 1) {
        return std::nullopt;
    }
    return Heredoc{.name = name->front(),
                   .expand = word.find_first_of("'\"") == std::string_view::npos,
                   .chomp = chomp,
                   .content = {}};
}

std::vector<Heredoc> find_heredocs(std::string_view line) {
    std::vector<Heredoc> heredocs;
    if (line.find("<<") == std::string_view::npos) {
        return heredocs;
    }
    auto const words = split_words(line);
    if (!words.has_value()) {
        return heredocs;
    }
    for (std::string const& word : *words) {
        if (auto heredoc = parse_heredoc_mark(word); heredoc.has_value()) {
            heredocs.push_back(*std::move(heredoc));
        }
    }
    return heredocs;
}

}  // namespace oblea::tools::dockerfile
