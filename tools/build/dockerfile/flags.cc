// SPDX-License-Identifier: MIT
#include "tools/build/dockerfile/flags.h"

#include "tools/build/dockerfile/characters.h"
#include "tools/cli/suggest.h"

#include <fmt/format.h>

#include <algorithm>

namespace oblea::tools::dockerfile {

namespace {

// The word that `text` begins with, without its quotes and escapes; takes it off.
std::string take_word(std::string_view& text, char escape) {
    std::string word;
    char quote = '\0';
    std::size_t i = 0;
    for (; i < text.size() && (quote != '\0' || !is_space(text[i])); ++i) {
        char const c = text[i];
        if (quote == '\0' && (c == '"' || c == '\'')) {
            quote = c;
        } else if (quote != '\0' && c == quote) {
            quote = '\0';
        } else if (c != escape) {
            word += c;
        } else if (i + 1 < text.size()) {
            word += text[++i];
        }
    }
    text.remove_prefix(i);
    return word;
}

Result<std::string> checked_value(FlagKind const& kind, std::string_view flag,
                                  std::optional<std::string_view> value) {
    if (!kind.refused.empty()) {
        return fail(Errno::eopnotsupp, "", fmt::format("{}: {}", flag, kind.refused));
    }
    bool const is_truth = kind.value == FlagKind::Value::truth;
    if (is_truth && !value.has_value()) {
        return "true";
    }
    if (!value.has_value() || (is_truth && value->empty())) {
        return fail(Errno::einval, "", fmt::format("missing a value on flag: {}", flag));
    }
    if (!is_truth) {
        return std::string{*value};
    }
    std::string truth = lower_case(*value);
    if (truth != "true" && truth != "false") {
        return fail(Errno::einval, "",
                    fmt::format("expecting boolean value for flag {}, not: {}", flag, *value));
    }
    return truth;
}

std::string unknown_flag(std::string_view flag, std::span<FlagKind const> kinds) {
    std::string message = fmt::format("unknown flag: {}", flag);
    std::vector<std::string> known;
    for (FlagKind const& kind : kinds) {
        if (kind.refused.empty()) {
            known.push_back(fmt::format("--{}", kind.name));
        }
    }
    if (auto const meant = suggest(flag, known); meant.has_value()) {
        return message + fmt::format(" (did you mean {}?)", *meant);
    }
    return known.empty() ? message + " (this instruction has none)"
                         : message + fmt::format(" (there are {})", fmt::join(known, ", "));
}

}  // namespace

FlagWords take_flags(std::string_view text, char escape) {
    FlagWords result;
    text = without_leading_spaces(text);
    while (text.starts_with("--")) {
        std::string word = take_word(text, escape);
        if (word == "--") {
            break;
        }
        result.words.push_back(std::move(word));
        text = without_leading_spaces(text);
    }
    result.arguments = without_spaces_around(text);
    return result;
}

Result<Flags> Flags::parse(std::span<std::string const> words, std::span<FlagKind const> kinds) {
    Flags flags;
    for (std::string const& word : words) {
        std::string_view const whole{word};
        auto const equals = whole.find('=');
        std::string_view const flag = whole.substr(0, equals);
        auto const kind = std::ranges::find(kinds, flag.substr(2), &FlagKind::name);
        if (kind == kinds.end()) {
            return fail(Errno::einval, "", unknown_flag(flag, kinds));
        }
        auto& values = flags.values_[std::string{kind->name}];
        if (!values.empty() && kind->value != FlagKind::Value::texts) {
            return fail(Errno::einval, "", fmt::format("duplicate flag specified: {}", flag));
        }
        values.push_back(OBLEA_TRY(checked_value(*kind, flag,
                                                 equals == std::string_view::npos
                                                     ? std::nullopt
                                                     : std::optional{whole.substr(equals + 1)})));
    }
    return flags;
}

std::vector<std::string> Flags::texts(std::string const& name) const {
    auto const found = values_.find(name);
    return found == values_.end() ? std::vector<std::string>{} : found->second;
}

std::string Flags::text(std::string const& name) const {
    auto const found = values_.find(name);
    return found == values_.end() ? std::string{} : found->second.front();
}

std::optional<bool> Flags::truth(std::string const& name) const {
    auto const found = values_.find(name);
    return found == values_.end() ? std::nullopt : std::optional{found->second.front() == "true"};
}

}  // namespace oblea::tools::dockerfile
