// SPDX-License-Identifier: MIT
#include "tools/template/lex.h"

#include "tools/template/go_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <optional>

namespace oblea::tools::templates {

namespace {

using Kind = Token::Kind;

constexpr std::string_view kLeft = "{{";
constexpr std::string_view kRight = "}}";
constexpr std::string_view kSpaces = " \t\r\n";

struct Keyword {
    std::string_view word;
    Kind kind;
};
constexpr std::array kKeywords{
    Keyword{"block", Kind::block_keyword},
    Keyword{"break", Kind::break_keyword},
    Keyword{"continue", Kind::continue_keyword},
    Keyword{"define", Kind::define_keyword},
    Keyword{"else", Kind::else_keyword},
    Keyword{"end", Kind::end_keyword},
    Keyword{"false", Kind::boolean},
    Keyword{"if", Kind::if_keyword},
    Keyword{"nil", Kind::nil},
    Keyword{"range", Kind::range_keyword},
    Keyword{"template", Kind::template_keyword},
    Keyword{"true", Kind::boolean},
    Keyword{"with", Kind::with_keyword},
};

bool is_space(char c) {
    return kSpaces.find(c) != std::string_view::npos;
}

bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

// Letters beyond ASCII count too, by their first byte.
bool is_word(char c) {
    return c == '_' || is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           static_cast<unsigned char>(c) >= 0x80;
}

bool is_visible(char c) {
    return c >= 0x20 && c < 0x7F;
}

class Lexer {
public:
    explicit Lexer(std::string_view text) : text_(text) {}

    std::vector<Token> run() {
        while (!failed_ && at_ < text_.size()) {
            lex_text();
        }
        if (!failed_) {
            add(Kind::end, at_);
        }
        return std::move(tokens_);
    }

private:
    [[nodiscard]] std::string_view rest() const { return text_.substr(at_); }
    [[nodiscard]] char peek(std::size_t ahead = 0) const {
        return at_ + ahead < text_.size() ? text_[at_ + ahead] : '\0';
    }

    // A token of the text from `start` to where we are.
    void add(Kind kind, std::size_t start) {
        tokens_.push_back({kind, std::string{text_.substr(start, at_ - start)}, start, line_});
        // Texts are counted where they are cut out, for their trimmed ends belong to no token.
        if (kind != Kind::text) {
            count_lines(text_.substr(start, at_ - start));
        }
    }

    void count_lines(std::string_view passed) {
        line_ += static_cast<std::size_t>(std::ranges::count(passed, '\n'));
    }

    void fail(std::string message) {
        tokens_.push_back({Kind::error, std::move(message), at_, line_});
        failed_ = true;
    }

    // Text up to the next action, and that action.
    void lex_text() {
        std::size_t const found = text_.find(kLeft, at_);
        std::size_t const end = std::min(found, text_.size());
        std::string_view whole = text_.substr(at_, end - at_);
        std::string_view shown = whole;
        if (found != std::string_view::npos && trims_left(found)) {
            shown = shown.substr(0, shown.find_last_not_of(kSpaces) + 1);
        }
        if (!shown.empty()) {
            tokens_.push_back({Kind::text, std::string{shown}, at_, line_});
        }
        count_lines(whole);
        at_ = end;
        if (found != std::string_view::npos) {
            lex_left_delimiter();
        }
    }

    // "{{- ": the space before the action goes.
    [[nodiscard]] bool trims_left(std::size_t delimiter) const {
        std::size_t const after = delimiter + kLeft.size();
        return after + 1 < text_.size() && text_[after] == '-' && is_space(text_[after + 1]);
    }

    // " -}}": the space behind the action goes.
    [[nodiscard]] bool at_trimming_right() const {
        return is_space(peek()) && rest().substr(1).starts_with("-}}");
    }

    [[nodiscard]] bool at_right_delimiter() const {
        return at_trimming_right() || rest().starts_with(kRight);
    }

    void lex_left_delimiter() {
        std::size_t const start = at_;
        std::size_t const marker = trims_left(at_) ? 2 : 0;
        if (text_.substr(at_ + kLeft.size() + marker).starts_with("/*")) {
            at_ += kLeft.size() + marker;
            lex_comment();
            return;
        }
        at_ += kLeft.size();
        add(Kind::left_delimiter, start);
        at_ += marker;
        count_lines(text_.substr(at_ - marker, marker));
        parentheses_ = 0;
        while (!failed_ && lex_inside_action()) {
        }
    }

    void lex_comment() {
        std::size_t const close = text_.find("*/", at_);
        if (close == std::string_view::npos) {
            fail("unclosed comment");
            return;
        }
        count_lines(text_.substr(at_, close - at_));
        at_ = close + 2;
        if (!at_right_delimiter()) {
            fail("comment ends before closing delimiter");
            return;
        }
        skip_right_delimiter();
    }

    void skip_right_delimiter() {
        bool const trims = at_trimming_right();
        std::size_t const start = at_;
        at_ += (trims ? 2 : 0) + kRight.size();
        if (trims) {
            at_ = std::min(text_.find_first_not_of(kSpaces, at_), text_.size());
        }
        count_lines(text_.substr(start, at_ - start));
    }

    // One token; false behind the right delimiter.
    bool lex_inside_action() {
        if (at_right_delimiter()) {
            if (parentheses_ > 0) {
                fail("unclosed left paren");
                return false;
            }
            tokens_.push_back({Kind::right_delimiter, "}}", at_, line_});
            skip_right_delimiter();
            return false;
        }
        if (at_ >= text_.size()) {
            fail("unclosed action");
            return false;
        }
        std::size_t const start = at_;
        char const c = peek();
        if (is_space(c)) {
            // What " -}}" needs before its minus stays.
            while (is_space(peek()) && !at_trimming_right()) {
                ++at_;
            }
            add(Kind::space, start);
        } else if (c == '"' || c == '\'') {
            lex_quoted(c);
        } else if (c == '`') {
            lex_raw();
        } else if (c == '$' || (c == '.' && start + 1 < text_.size() && !is_digit(peek(1)))) {
            lex_name_behind_sign();
        } else if (c == '.' || c == '+' || c == '-' || is_digit(c)) {
            lex_number();
        } else if (is_word(c)) {
            lex_word();
        } else {
            lex_sign(c);
        }
        return true;
    }

    void lex_sign(char c) {
        std::size_t const start = at_++;
        if (c == '=') {
            add(Kind::assign, start);
        } else if (c == ':' && peek() == '=') {
            ++at_;
            add(Kind::declare, start);
        } else if (c == ':') {
            fail("expected :=");
        } else if (c == '|') {
            add(Kind::pipe, start);
        } else if (c == '(') {
            ++parentheses_;
            add(Kind::left_parenthesis, start);
        } else if (c == ')') {
            parentheses_ -= std::min<std::size_t>(parentheses_, 1);
            add(Kind::right_parenthesis, start);
        } else if (is_visible(c)) {
            add(Kind::character, start);
        } else {
            --at_;
            fail("unrecognized character in action: " + quote_code_point(rest()));
        }
    }

    void lex_quoted(char quote) {
        std::size_t const start = at_++;
        while (at_ < text_.size() && text_[at_] != '\n') {
            if (text_[at_] == quote) {
                ++at_;
                add(quote == '"' ? Kind::string : Kind::character_constant, start);
                return;
            }
            at_ += text_[at_] == '\\' && peek(1) != '\n' ? 2U : 1U;
        }
        at_ = std::min(at_, text_.size());
        fail(quote == '"' ? "unterminated quoted string" : "unterminated character constant");
    }

    void lex_raw() {
        std::size_t const start = at_;
        std::size_t const close = text_.find('`', at_ + 1);
        if (close == std::string_view::npos) {
            fail("unterminated raw quoted string");
            return;
        }
        at_ = close + 1;
        add(Kind::raw_string, start);
    }

    void skip_word() {
        while (at_ < text_.size() && is_word(text_[at_])) {
            ++at_;
        }
    }

    // Words must not run into signs that begin something else.
    bool expect_word_end() {
        if (at_ >= text_.size() || is_space(peek()) || at_right_delimiter() ||
            std::string_view{".,|:()"}.find(peek()) != std::string_view::npos) {
            return true;
        }
        fail("bad character " + quote_code_point(rest()));
        return false;
    }

    // ".Name", ".", "$name", "$".
    void lex_name_behind_sign() {
        std::size_t const start = at_;
        bool const is_variable = text_[at_++] == '$';
        skip_word();
        bool const bare = at_ == start + 1;
        if (expect_word_end()) {
            add(is_variable ? Kind::variable : (bare ? Kind::dot : Kind::field), start);
        }
    }

    void lex_word() {
        std::size_t const start = at_;
        skip_word();
        if (!expect_word_end()) {
            return;
        }
        std::string_view const word = text_.substr(start, at_ - start);
        auto const keyword = std::ranges::find(kKeywords, word, &Keyword::word);
        add(keyword == kKeywords.end() ? Kind::identifier : keyword->kind, start);
    }

    void skip_any(std::string_view signs) {
        while (at_ < text_.size() && signs.find(text_[at_]) != std::string_view::npos) {
            ++at_;
        }
    }

    void lex_number() {
        std::size_t const start = at_;
        if (peek() == '+' || peek() == '-') {
            ++at_;
        }
        std::string_view digits = "0123456789_";
        std::string_view exponent = "eE";
        if (peek() == '0' && peek(1) != '\0') {
            char const base = peek(1);
            if (base == 'x' || base == 'X') {
                digits = "0123456789abcdefABCDEF_";
                exponent = "pP";
                at_ += 2;
            } else if (base == 'o' || base == 'O') {
                digits = "01234567_";
                at_ += 2;
            } else if (base == 'b' || base == 'B') {
                digits = "01_";
                at_ += 2;
            }
        }
        skip_any(digits);
        if (peek() == '.') {
            ++at_;
            skip_any(digits);
        }
        if (at_ < text_.size() && exponent.find(peek()) != std::string_view::npos) {
            ++at_;
            if (peek() == '+' || peek() == '-') {
                ++at_;
            }
            skip_any("0123456789_");
        }
        if (at_ < text_.size() && is_word(text_[at_])) {
            ++at_;
            fail("bad number syntax: " + go_quote(text_.substr(start, at_ - start)));
            return;
        }
        add(Kind::number, start);
    }

    std::string_view text_;
    std::size_t at_ = 0;
    std::size_t line_ = 1;
    std::size_t parentheses_ = 0;
    bool failed_ = false;
    std::vector<Token> tokens_;
};

}  // namespace

std::vector<Token> lex(std::string_view text) {
    return Lexer{text}.run();
}

}  // namespace oblea::tools::templates
