// SPDX-License-Identifier: MIT
// The words of a template. Pure.
//
// Spec: Go's text/template ("Text and spaces", "Actions", "Arguments").
#pragma once
#include <string>
#include <string_view>
#include <vector>

namespace oblea::tools::templates {

struct Token {
    enum class Kind {
        error,  // text is the message; the last token
        end,    // of the template
        text,   // between actions, trimmed as the actions beside it ask for
        left_delimiter,
        right_delimiter,
        space,
        declare,  // :=
        assign,   // =
        pipe,
        left_parenthesis,
        right_parenthesis,
        character,  // any other sign, such as a comma
        field,      // .Name
        variable,   // $name
        identifier,
        boolean,
        number,
        character_constant,
        string,
        raw_string,
        // Keywords from here on, which messages show as such.
        nil,
        dot,
        block_keyword,
        break_keyword,
        continue_keyword,
        define_keyword,
        else_keyword,
        end_keyword,
        if_keyword,
        range_keyword,
        template_keyword,
        with_keyword,
    };
    Kind kind = Kind::end;
    std::string text;
    std::size_t position = 0;  // bytes from the start of the template
    std::size_t line = 1;
};

// Ends with a token of kind `end` or `error`. Comments are left out.
std::vector<Token> lex(std::string_view text);

}  // namespace oblea::tools::templates
