// SPDX-License-Identifier: MIT
#include "tools/template/functions.h"

#include "tools/template/go_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <compare>
#include <optional>

namespace oblea::tools::templates {

namespace {

using Arguments = std::span<Value const>;
using Parameter = Function::Parameter;

std::unexpected<Error> refuse(std::string what) {
    return fail(Errno::einval, "", std::move(what));
}

// --- comparison

constexpr char const* kIncompatible = "incompatible types for comparison";
constexpr char const* kInvalidType = "invalid type for comparison";

enum class Basic { none, boolean, integer, fraction, text };

Basic basic_kind(Value const& value) {
    if (value.get<bool>() != nullptr) {
        return Basic::boolean;
    }
    if (value.get<std::int64_t>() != nullptr) {
        return Basic::integer;
    }
    if (value.get<double>() != nullptr) {
        return Basic::fraction;
    }
    return value.get<std::string>() != nullptr ? Basic::text : Basic::none;
}

// Of two values of the same basic kind.
bool basic_equal(Value const& a, Value const& b) {
    switch (basic_kind(a)) {
    case Basic::boolean:
        return *a.get<bool>() == *b.get<bool>();
    case Basic::integer:
        return *a.get<std::int64_t>() == *b.get<std::int64_t>();
    case Basic::fraction:
        return !(*a.get<double>() < *b.get<double>()) && !(*a.get<double>() > *b.get<double>());
    case Basic::text:
        return *a.get<std::string>() == *b.get<std::string>();
    case Basic::none:
        break;
    }
    return false;
}

Result<bool> equal(Value const& a, Value const& b) {
    if (!a.has_value() || !b.has_value()) {
        return a.has_value() == b.has_value();
    }
    if (basic_kind(a) != basic_kind(b)) {
        return refuse(kIncompatible);
    }
    if (basic_kind(a) == Basic::none) {
        std::string const shown = OBLEA_TRY(show(a));
        return refuse(fmt::format("non-comparable type {}: {}", shown, a.type_name()));
    }
    return basic_equal(a, b);
}

Result<Value> any_equal(Arguments arguments) {
    if (arguments.size() < 2) {
        return refuse("missing argument for comparison");
    }
    for (Value const& other : arguments.subspan(1)) {
        if (OBLEA_TRY(equal(arguments[0], other))) {
            return Value(true);
        }
    }
    return Value(false);
}

Result<bool> less(Value const& a, Value const& b) {
    Basic const kind = basic_kind(a);
    if (kind == Basic::none || basic_kind(b) == Basic::none) {
        return refuse(kInvalidType);
    }
    if (kind != basic_kind(b)) {
        return refuse(kIncompatible);
    }
    switch (kind) {
    case Basic::integer:
        return *a.get<std::int64_t>() < *b.get<std::int64_t>();
    case Basic::fraction:
        return *a.get<double>() < *b.get<double>();
    case Basic::text:
        return *a.get<std::string>() < *b.get<std::string>();
    default:
        return refuse(kInvalidType);
    }
}

Result<bool> less_or_equal(Value const& a, Value const& b) {
    return OBLEA_TRY(less(a, b)) || OBLEA_TRY(equal(a, b));
}

// --- lists, maps and strings

std::optional<std::size_t> size_of(Value const& value) {
    if (auto const* text = value.get<std::string>()) {
        return text->size();
    }
    if (auto const* list = value.list()) {
        return list->size();
    }
    if (auto const* map = value.map()) {
        return map->entries.size();
    }
    return std::nullopt;
}

Result<Value> length(Arguments arguments) {
    if (!arguments[0].has_value()) {
        return refuse("len of nil pointer");
    }
    auto const size = size_of(arguments[0]);
    if (!size.has_value()) {
        return refuse("len of type " + arguments[0].type_name());
    }
    return Value(static_cast<std::int64_t>(*size));
}

Result<std::size_t> position(Value const& index, std::size_t limit) {
    if (!index.has_value()) {
        return refuse("cannot index slice/array with nil");
    }
    auto const* number = index.get<std::int64_t>();
    if (number == nullptr) {
        return refuse("cannot index slice/array with type " + index.type_name());
    }
    if (*number < 0 || static_cast<std::uint64_t>(*number) >= limit) {
        return refuse(fmt::format("index out of range: {}", *number));
    }
    return static_cast<std::size_t>(*number);
}

Result<Value> element_of(Value const& value, Value const& index) {
    if (!value.has_value()) {
        return refuse("index of nil pointer");
    }
    if (auto const* list = value.list()) {
        return (*list)[OBLEA_TRY(position(index, list->size()))];
    }
    if (auto const* text = value.get<std::string>()) {
        auto const byte = (*text)[OBLEA_TRY(position(index, text->size()))];
        return Value(static_cast<int>(static_cast<unsigned char>(byte)));
    }
    if (auto const* map = value.map()) {
        auto const* key = index.get<std::string>();
        if (key == nullptr) {
            return refuse(index.has_value()
                              ? "value has type " + index.type_name() + "; should be string"
                              : "value is nil; should be of type string");
        }
        if (Value const* found = map->find(*key)) {
            return *found;
        }
        return map->elements == Map::Elements::text ? Value("") : Value();
    }
    return refuse("can't index item of type " + value.type_name());
}

Result<Value> index(Arguments arguments) {
    if (!arguments[0].has_value()) {
        return refuse("index of untyped nil");
    }
    Value value = arguments[0];
    for (Value const& step : arguments.subspan(1)) {
        value = OBLEA_TRY(element_of(value, step));
    }
    return value;
}

Result<Value> slice(Arguments arguments) {
    Value const& value = arguments[0];
    if (!value.has_value()) {
        return refuse("slice of untyped nil");
    }
    if (arguments.size() > 4) {
        return refuse(fmt::format("too many slice indexes: {}", arguments.size() - 1));
    }
    auto const* text = value.get<std::string>();
    auto const* list = value.list();
    if (text == nullptr && list == nullptr) {
        return refuse("can't slice item of type " + value.type_name());
    }
    if (text != nullptr && arguments.size() == 4) {
        return refuse("cannot 3-index slice a string");
    }
    std::size_t const size = text != nullptr ? text->size() : list->size();
    std::array<std::size_t, 3> bounds{0, size, size};
    for (std::size_t i = 1; i < arguments.size(); ++i) {
        bounds.at(i - 1) = OBLEA_TRY(position(arguments[i], size + 1));
    }
    auto const [first, last, capacity] = bounds;
    if (first > last || last > capacity) {
        return refuse(fmt::format("invalid slice index: {} > {}", first > last ? first : last,
                                  first > last ? last : capacity));
    }
    if (text != nullptr) {
        return Value(text->substr(first, last - first));
    }
    return Value(List(list->begin() + static_cast<std::ptrdiff_t>(first),
                      list->begin() + static_cast<std::ptrdiff_t>(last)));
}

// --- escaping

// The arguments as one text, as print makes it.
Result<std::string> text_of(Arguments arguments) {
    if (arguments.size() == 1) {
        if (auto const* text = arguments[0].get<std::string>()) {
            return *text;
        }
    }
    List shown{arguments.begin(), arguments.end()};
    for (Value& value : shown) {
        value = value.has_value() ? value : Value("<no value>");
    }
    return sprint(shown);
}

Result<Value> html(Arguments arguments) {
    std::string const text = OBLEA_TRY(text_of(arguments));
    std::string result;
    for (char const c : text) {
        switch (c) {
        case '\0':
            result += "\xEF\xBF\xBD";
            break;
        case '"':
            result += "&#34;";
            break;
        case '\'':
            result += "&#39;";
            break;
        case '&':
            result += "&amp;";
            break;
        case '<':
            result += "&lt;";
            break;
        case '>':
            result += "&gt;";
            break;
        default:
            result += c;
        }
    }
    return Value(std::move(result));
}

Result<Value> js(Arguments arguments) {
    std::string const whole = OBLEA_TRY(text_of(arguments));
    std::string_view text{whole};
    std::string result;
    while (!text.empty()) {
        auto const [value, bytes] = first_code_point(text);
        char const c = text.front();
        bool const visible = value >= 0xA1 && value != 0xAD && value != 0x2028 && value != 0x2029;
        if (c == '\\' || c == '\'' || c == '"') {
            result += '\\';
            result += c;
        } else if (c == '<' || c == '>' || c == '&' || c == '=') {
            result += fmt::format("\\u{:04X}", static_cast<unsigned>(value));
        } else if (value < 0x80 && (value < 0x20 || value == 0x7F)) {
            result += fmt::format("\\u{:04X}", static_cast<unsigned>(value));
        } else if (value < 0x80 || visible) {
            result += text.substr(0, bytes);
        } else {
            result += fmt::format("\\u{:04X}", static_cast<unsigned>(value));
        }
        text.remove_prefix(bytes);
    }
    return Value(std::move(result));
}

Result<Value> urlquery(Arguments arguments) {
    std::string const text = OBLEA_TRY(text_of(arguments));
    std::string result;
    for (char const c : text) {
        bool const plain = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
                           (c >= 'A' && c <= 'Z') || c == '-' || c == '_' || c == '.' || c == '~';
        if (plain) {
            result += c;
        } else if (c == ' ') {
            result += '+';
        } else {
            result += fmt::format("%{:02X}", static_cast<unsigned char>(c));
        }
    }
    return Value(std::move(result));
}

// --- docker's

std::string const& text_at(Arguments arguments, std::size_t at) {
    return *arguments[at].get<std::string>();
}

Result<Value> json(Arguments arguments) {
    return Value(OBLEA_TRY(to_json(arguments[0])));
}

Result<Value> split(Arguments arguments) {
    std::string_view text = text_at(arguments, 0);
    std::string const& separator = text_at(arguments, 1);
    List parts;
    if (separator.empty()) {
        while (!text.empty()) {
            std::size_t const bytes = first_code_point(text).bytes;
            parts.emplace_back(std::string{text.substr(0, bytes)});
            text.remove_prefix(bytes);
        }
        return Value(std::move(parts));
    }
    for (;;) {
        std::size_t const at = text.find(separator);
        parts.emplace_back(std::string{text.substr(0, at)});
        if (at == std::string_view::npos) {
            return Value(std::move(parts));
        }
        text.remove_prefix(at + separator.size());
    }
}

Result<Value> join(Arguments arguments) {
    std::string result;
    if (List const* list = arguments[0].list()) {
        for (std::size_t i = 0; i < list->size(); ++i) {
            result += i == 0 ? "" : text_at(arguments, 1);
            result += OBLEA_TRY(show((*list)[i]));
        }
    }
    return Value(std::move(result));
}

char to_lower(char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

char to_upper(char c) {
    return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
}

Result<Value> lower(Arguments arguments) {
    std::string text = text_at(arguments, 0);
    std::ranges::transform(text, text.begin(), to_lower);
    return Value(std::move(text));
}

Result<Value> upper(Arguments arguments) {
    std::string text = text_at(arguments, 0);
    std::ranges::transform(text, text.begin(), to_upper);
    return Value(std::move(text));
}

Result<Value> title(Arguments arguments) {
    std::string text = text_at(arguments, 0);
    bool inside = false;
    for (char& c : text) {
        bool const separates = static_cast<unsigned char>(c) < 0x80 && c != '_' &&
                               !(c >= '0' && c <= '9') && to_lower(c) == to_upper(c);
        c = inside ? c : to_upper(c);
        inside = !separates;
    }
    return Value(std::move(text));
}

constexpr std::int64_t kPaddingMax = 1'000'000;

Result<Value> pad(Arguments arguments) {
    std::string const& text = text_at(arguments, 0);
    std::int64_t const before = *arguments[1].get<std::int64_t>();
    std::int64_t const after = *arguments[2].get<std::int64_t>();
    if (text.empty()) {
        return Value("");
    }
    if (before < 0 || after < 0 || before > kPaddingMax || after > kPaddingMax) {
        return refuse("padding out of range");
    }
    return Value(std::string(static_cast<std::size_t>(before), ' ') + text +
                 std::string(static_cast<std::size_t>(after), ' '));
}

Result<Value> truncate(Arguments arguments) {
    std::string const& text = text_at(arguments, 0);
    std::int64_t const bytes = *arguments[1].get<std::int64_t>();
    if (bytes < 0) {
        return refuse(fmt::format("length out of range: {}", bytes));
    }
    return Value(text.substr(0, static_cast<std::size_t>(bytes)));
}

Result<Value> first_argument(Arguments arguments) {
    return arguments[0];
}

Functions make_standard() {
    using enum Function::Parameter;
    using enum Function::Rest;
    auto printed = [](Result<std::string> (*how)(Arguments)) {
        return [how](Arguments arguments) -> Result<Value> {
            return Value(OBLEA_TRY(how(arguments)));
        };
    };
    auto compared = [](Result<bool> (*how)(Value const&, Value const&), bool wanted, bool swap) {
        return [how, wanted, swap](Arguments arguments) -> Result<Value> {
            bool const answer =
                OBLEA_TRY(swap ? how(arguments[1], arguments[0]) : how(arguments[0], arguments[1]));
            return Value(answer == wanted);
        };
    };
    Functions functions;
    auto add = [&](char const* name, std::vector<Parameter> parameters, Function::Rest rest,
                   std::function<Result<Value>(Arguments)> run) {
        functions[name] = {std::move(parameters), rest, std::move(run)};
    };
    add("not", {any}, refused,
        [](Arguments arguments) -> Result<Value> { return Value(!arguments[0].is_true()); });
    add("len", {any}, refused, length);
    add("index", {any}, taken, index);
    add("slice", {any}, taken, slice);
    add("print", {}, taken, printed(sprint));
    add("println", {}, taken, printed(sprintln));
    add("printf", {text}, taken, [](Arguments arguments) -> Result<Value> {
        return Value(OBLEA_TRY(sprintf(text_at(arguments, 0), arguments.subspan(1))));
    });
    add("call", {any}, taken, [](Arguments arguments) -> Result<Value> {
        if (!arguments[0].has_value()) {
            return refuse("call of nil");
        }
        return refuse("non-function of type " + arguments[0].type_name());
    });
    add("html", {}, taken, html);
    add("js", {}, taken, js);
    add("urlquery", {}, taken, urlquery);
    add("eq", {any}, taken, any_equal);
    add("ne", {any, any}, refused, compared(equal, false, false));
    add("lt", {any, any}, refused, compared(less, true, false));
    add("le", {any, any}, refused, compared(less_or_equal, true, false));
    add("gt", {any, any}, refused, compared(less_or_equal, false, false));
    add("ge", {any, any}, refused, compared(less, false, false));
    add("json", {any}, refused, json);
    add("split", {text, text}, refused, split);
    add("join", {texts, text}, refused, join);
    add("title", {text}, refused, title);
    add("lower", {text}, refused, lower);
    add("upper", {text}, refused, upper);
    add("pad", {text, integer, integer}, refused, pad);
    add("truncate", {text, integer}, refused, truncate);
    return functions;
}

Functions make_header() {
    using enum Function::Parameter;
    Functions functions = make_standard();
    for (char const* name : {"json", "split", "join", "title", "lower", "upper", "truncate"}) {
        Function& function = functions[name];
        std::ranges::replace(function.parameters, texts, any);
        function.run = first_argument;
    }
    return functions;
}

}  // namespace

Functions const& standard_functions() {
    static Functions const functions = make_standard();
    return functions;
}

Functions const& header_functions() {
    static Functions const functions = make_header();
    return functions;
}

bool is_function(Functions const& functions, std::string_view name) {
    return name == "and" || name == "or" || functions.contains(name);
}

}  // namespace oblea::tools::templates
