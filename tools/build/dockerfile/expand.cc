// SPDX-License-Identifier: MIT
#include "tools/build/dockerfile/expand.h"

#include "store/base/limits.h"
#include "tools/build/dockerfile/characters.h"
#include "tools/build/dockerfile/pattern.h"

#include <fmt/format.h>

#include <utility>

namespace oblea::tools::dockerfile {

namespace {

struct Rules {
    char escape = '\\';
    bool quotes = true;       // have a meaning
    bool as_written = false;  // quotes, escapes and variables stay in the words
};

// What stands behind the last space of a text, and the words before it.
class Words {
public:
    void add_expanded(std::string_view text) {
        for (char const c : text) {
            add_unquoted(c);
        }
    }
    void add_unquoted(char c) {
        if (is_space(c)) {
            end_word();
        } else {
            word_ += c;
        }
    }
    void add_quoted(std::string_view text) { word_ += text; }
    std::vector<std::string> take() && {
        end_word();
        return std::move(words_);
    }

private:
    void end_word() {
        if (!word_.empty()) {
            words_.push_back(std::move(word_));
            word_.clear();
        }
    }
    std::vector<std::string> words_;
    std::string word_;
};

class Expander {
public:
    Expander(std::string_view text, Rules rules, Lookup const& lookup)
        : rest_(text), rules_(rules), lookup_(lookup) {}

    struct Expanded {
        std::string text;
        std::vector<std::string> words;
    };
    Result<Expanded> run() { return text_until('\0', rules_.as_written, 0); }

private:
    [[nodiscard]] bool at(char c) const { return !rest_.empty() && rest_.front() == c; }
    char take() {
        char const c = rest_.front();
        rest_.remove_prefix(1);
        return c;
    }

    // Up to `stop` (which is taken too), or the end where it is NUL. `keep_escapes`: for patterns,
    // which have escapes of their own.
    Result<Expanded> text_until(char stop, bool keep_escapes, std::size_t depth) {
        if (depth > limits::kSubstitutionDepthMax) {
            return fail(Errno::einval, "",
                        fmt::format("substitutions are nested more than {} deep",
                                    limits::kSubstitutionDepthMax));
        }
        std::string text;
        Words words;
        auto grow = [&](std::string_view more) -> Status {
            if (text.size() + more.size() > limits::kExpandedBytesMax) {
                return fail(Errno::e2big, "",
                            fmt::format("a word is larger than {} bytes when its variables are "
                                        "replaced",
                                        limits::kExpandedBytesMax));
            }
            text += more;
            return {};
        };
        while (!rest_.empty() && (stop == '\0' || rest_.front() != stop)) {
            char const c = rest_.front();
            if (c == '$') {
                std::string const value = OBLEA_TRY(substitution(depth));
                OBLEA_TRY(grow(value));
                words.add_expanded(value);
            } else if (rules_.quotes && (c == '\'' || c == '"')) {
                std::string const inside =
                    OBLEA_TRY(c == '"' ? double_quoted(keep_escapes, depth) : single_quoted());
                OBLEA_TRY(grow(inside));
                words.add_quoted(inside);
            } else if (rest_.starts_with("<<")) {
                // The space behind it does not end the word: "<< EOF" is one.
                std::string_view const mark = take_heredoc_mark();
                OBLEA_TRY(grow(mark));
                words.add_quoted(mark);
            } else if (c == rules_.escape) {
                std::string_view const escaped = take_escaped(keep_escapes);
                OBLEA_TRY(grow(escaped));
                words.add_quoted(escaped);
            } else {
                OBLEA_TRY(grow({&c, 1}));
                words.add_unquoted(take());
            }
        }
        if (stop != '\0') {
            if (rest_.empty()) {
                return fail(Errno::einval, "", fmt::format("syntax error: missing '{}'", stop));
            }
            take();
        }
        return Expanded{std::move(text), std::move(words).take()};
    }

    std::string_view take_heredoc_mark() {
        std::size_t length = 2;
        while (length < rest_.size() && is_blank(rest_[length])) {
            ++length;
        }
        std::string_view const mark = rest_.substr(0, length);
        rest_.remove_prefix(length);
        return mark;
    }

    // The character behind an escape, none at the end; with the escape where that is kept.
    std::string_view take_escaped(bool keep_escape) {
        std::string_view const both = rest_.substr(0, 2);
        rest_.remove_prefix(both.size());
        return keep_escape ? both : both.substr(1);
    }

    Result<std::string> single_quoted() {
        auto const end = rest_.find('\'', 1);
        if (end == std::string_view::npos) {
            return fail(Errno::einval, "",
                        "unexpected end of statement while looking for matching single-quote");
        }
        std::string_view const with_quotes = rest_.substr(0, end + 1);
        rest_.remove_prefix(end + 1);
        return std::string{rules_.as_written ? with_quotes
                                             : with_quotes.substr(1, with_quotes.size() - 2)};
    }

    Result<std::string> double_quoted(bool keep_escapes, std::size_t depth) {
        std::string inside;
        if (char const quote = take(); rules_.as_written) {
            inside += quote;
        }
        while (!at('"')) {
            if (rest_.empty()) {
                return fail(Errno::einval, "",
                            "unexpected end of statement while looking for matching double-quote");
            }
            if (at('$')) {
                inside += OBLEA_TRY(substitution(depth));
                continue;
            }
            char const c = take();
            if (c != rules_.escape || rest_.empty()) {
                inside += c;
                continue;
            }
            // Before anything but these an escape is a character like others.
            bool const escapes = at('"') || at('$') || at(rules_.escape);
            if (rules_.as_written) {
                inside += c;
            }
            char const literal = escapes ? take() : c;
            if (keep_escapes && !rules_.as_written && literal == '\\') {
                inside += literal;  // the pattern has escapes too
            }
            if (escapes || !rules_.as_written) {
                inside += literal;
            }
        }
        if (char const quote = take(); rules_.as_written) {
            inside += quote;
        }
        return inside;
    }

    std::string_view take_name() {
        std::size_t length = 0;
        if (!rest_.empty() && is_digit(rest_.front())) {
            while (length < rest_.size() && is_digit(rest_[length])) {
                ++length;
            }
        } else if (!rest_.empty() &&
                   std::string_view{"@*#?-$!"}.find(rest_.front()) != std::string_view::npos) {
            length = 1;  // the shell's special parameters, which are never set
        } else {
            while (length < rest_.size() && is_name_character(rest_[length])) {
                ++length;
            }
        }
        std::string_view const name = rest_.substr(0, length);
        rest_.remove_prefix(length);
        return name;
    }

    Result<std::string> substitution(std::size_t depth) {
        if (rules_.as_written) {
            return substitution_as_written();
        }
        take();
        if (at('{')) {
            take();
            return braced(depth);
        }
        std::string_view const name = take_name();
        return name.empty() ? "$" : lookup_(name).value_or("");
    }

    // It may be one that only the shell knows: the text is a command's.
    Result<std::string> substitution_as_written() {
        std::string_view const from = rest_;
        take();
        if (at('{')) {
            std::size_t open = 0;
            do {
                if (rest_.empty()) {
                    return fail(Errno::einval, "", "syntax error: missing '}'");
                }
                char const c = take();
                if (c == rules_.escape && !rest_.empty()) {
                    take();
                }
                open += c == '{' ? 1 : 0;
                open -= c == '}' ? 1 : 0;
            } while (open > 0);
        } else {
            take_name();
        }
        return std::string{from.substr(0, from.size() - rest_.size())};
    }

    // What stands between "${" and "}".
    Result<std::string> braced(std::size_t depth) {
        if (at('{') || at('}') || at(':')) {
            return fail(Errno::einval, "", "syntax error: bad substitution");
        }
        std::string_view const name = take_name();
        if (rest_.empty()) {
            return fail(Errno::einval, "", "syntax error: missing '}'");
        }
        std::string_view const behind_name = rest_;
        char modifier = take();
        bool const empty_is_unset = modifier == ':';
        if (empty_is_unset) {
            if (rest_.empty()) {
                return fail(Errno::einval, "", "syntax error: missing '}'");
            }
            modifier = take();
        }
        switch (modifier) {
        case '}':
            if (!empty_is_unset) {
                return lookup_(name).value_or("");
            }
            break;
        case '-':
        case '+':
        case '?': {
            std::string const word = OBLEA_TRY(text_until('}', false, depth + 1)).text;
            return choose(name, word, modifier, empty_is_unset);
        }
        case '#':
        case '%':
            if (!empty_is_unset) {
                return trimmed(name, modifier, depth);
            }
            break;
        case '/':
            if (!empty_is_unset) {
                return replaced(name, depth);
            }
            break;
        default:
            break;
        }
        return fail(Errno::einval, "",
                    fmt::format("unsupported modifier ({}) in substitution; there are :- - :+ + :? "
                                "? # ## % %% / and //",
                                behind_name.substr(0, empty_is_unset ? 2 : 1)));
    }

    Result<std::string> choose(std::string_view name, std::string const& word, char modifier,
                               bool empty_is_unset) const {
        std::optional<std::string> value = lookup_(name);
        bool const counts_as_set = value.has_value() && !(empty_is_unset && value->empty());
        if (modifier == '+') {
            return counts_as_set ? word : std::string{};
        }
        if (counts_as_set) {
            return *std::move(value);
        }
        if (modifier == '-') {
            return word;
        }
        std::string_view const fault =
            value.has_value() ? "is not allowed to be empty" : "is not allowed to be unset";
        return fail(Errno::einval, "",
                    fmt::format("{}: {}", name, word.empty() ? fault : std::string_view{word}));
    }

    Result<std::string> trimmed(std::string_view name, char modifier, std::size_t depth) {
        std::string const whole = OBLEA_TRY(text_until('}', true, depth + 1)).text;
        std::string_view pattern{whole};
        auto length = Pattern::Length::shortest;
        if (pattern.starts_with(modifier)) {
            pattern.remove_prefix(1);
            length = Pattern::Length::longest;
        }
        Pattern const parsed = OBLEA_TRY(Pattern::parse(pattern));
        std::string const text = lookup_(name).value_or("");
        return modifier == '#' ? parsed.without_prefix(text, length)
                               : parsed.without_suffix(text, length);
    }

    Result<std::string> replaced(std::string_view name, std::size_t depth) {
        auto which = Pattern::Which::first;
        if (at('/')) {
            take();
            which = Pattern::Which::all;
        }
        std::string const pattern = OBLEA_TRY(text_until('/', true, depth + 1)).text;
        std::string const by = OBLEA_TRY(text_until('}', true, depth + 1)).text;
        Pattern const parsed = OBLEA_TRY(Pattern::parse(pattern));
        return parsed.replaced(lookup_(name).value_or(""), by, which);
    }

    std::string_view rest_;
    Rules rules_;
    Lookup const& lookup_;
};

}  // namespace

Result<std::string> expand_word(std::string_view word, char escape, Lookup const& lookup) {
    auto expanded = OBLEA_TRY(Expander(word, {.escape = escape}, lookup).run());
    return std::move(expanded.text);
}

Result<std::vector<std::string>> expand_words(std::string_view text, char escape,
                                              Lookup const& lookup) {
    auto expanded = OBLEA_TRY(Expander(text, {.escape = escape}, lookup).run());
    return std::move(expanded.words);
}

Result<std::string> expand_text(std::string_view text, Lookup const& lookup) {
    auto expanded = OBLEA_TRY(Expander(text, {.quotes = false}, lookup).run());
    return std::move(expanded.text);
}

Result<std::vector<std::string>> split_words(std::string_view text) {
    Lookup const none;
    auto expanded = OBLEA_TRY(Expander(text, {.as_written = true}, none).run());
    return std::move(expanded.words);
}

}  // namespace oblea::tools::dockerfile
