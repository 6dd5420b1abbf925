// SPDX-License-Identifier: MIT
// Values as texts the way Go's fmt and strconv write them. Pure.
//
// Spec: Go's fmt ("Printing"), strconv.Quote and strconv.Unquote.
#pragma once
#include "tools/template/value.h"

#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace oblea::tools::templates {

// "\"a\\n\"": in double quotes, with escapes for what cannot be shown.
std::string go_quote(std::string_view text);

// Of the first code point: "U+0040 '@'".
std::string quote_code_point(std::string_view text);

// What a Go string literal means ("..." or `...`); nothing when it is none.
std::optional<std::string> unquote(std::string_view literal);

// The code point of a Go character literal ('x', '\n').
std::optional<std::int64_t> unquote_character(std::string_view literal);

// The first code point of UTF-8 text and how many bytes it takes; U+FFFD and 1 for a stray byte.
struct CodePoint {
    char32_t value = 0;
    std::size_t bytes = 0;
};
CodePoint first_code_point(std::string_view text);
void append_code_point(std::string& text, char32_t value);

// As fmt.Sprint shows one value: "map[a:1]", "[x y]", "<nil>". Errors: those of a record's fields.
Result<std::string> show(Value const& value);

// fmt.Sprint: spaces between values of which neither is a string; fmt.Sprintln: everywhere.
Result<std::string> sprint(std::span<Value const> values);
Result<std::string> sprintln(std::span<Value const> values);

// fmt.Sprintf; what does not fit shows as Go shows it ("%!d(string=hi)", "%!s(MISSING)").
Result<std::string> sprintf(std::string_view format, std::span<Value const> values);

}  // namespace oblea::tools::templates
