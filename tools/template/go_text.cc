// SPDX-License-Identifier: MIT
#include "tools/template/go_text.h"

#include "tools/output/plain_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>

namespace oblea::tools::templates {

namespace {

constexpr char32_t kReplacement = 0xFFFD;
constexpr char32_t kCodePointMax = 0x10FFFF;
constexpr int kShortestDigits = 6;
constexpr int kWidthMax = 1'000'000;  // as Go's fmt

bool is_surrogate(char32_t value) {
    return value >= 0xD800 && value < 0xE000;
}

// Whether Go shows it as it is; of what is not ASCII only controls and separators are not shown.
bool is_printable(char32_t value) {
    if (value < 0x7F) {
        return value >= 0x20;
    }
    bool const hidden = value < 0xA1 || value == 0xAD || (value >= 0x2000 && value <= 0x200F) ||
                        (value >= 0x2028 && value <= 0x202F) ||
                        (value >= 0x205F && value <= 0x206F) || value == 0x3000 ||
                        (value >= 0xE000 && value <= 0xF8FF) || value == 0xFEFF ||
                        (value >= 0xFFF0 && value <= 0xFFFB) || value == 0xFFFE || value == 0xFFFF;
    return !hidden && !is_surrogate(value) && value < 0xE0000;
}

std::string escape(char32_t value) {
    switch (value) {
    case '\a':
        return "\\a";
    case '\b':
        return "\\b";
    case '\f':
        return "\\f";
    case '\n':
        return "\\n";
    case '\r':
        return "\\r";
    case '\t':
        return "\\t";
    case '\v':
        return "\\v";
    default:
        break;
    }
    auto const number = static_cast<std::uint32_t>(value);
    if (number < 0x20 || number == 0x7F) {
        return fmt::format("\\x{:02x}", number);
    }
    return number < 0x10000 ? fmt::format("\\u{:04x}", number) : fmt::format("\\U{:08x}", number);
}

enum class Ascii { no, yes };

std::string quote_with(std::string_view text, char quote, Ascii ascii = Ascii::no) {
    std::string result{quote};
    while (!text.empty()) {
        auto const [value, bytes] = first_code_point(text);
        if (value == kReplacement && bytes == 1) {
            result += fmt::format("\\x{:02x}", static_cast<unsigned char>(text.front()));
        } else if (value == static_cast<unsigned char>(quote) || value == '\\') {
            result += '\\';
            result += text.front();
        } else if (is_printable(value) && (value < 0x80 || ascii == Ascii::no)) {
            result += text.substr(0, bytes);
        } else {
            result += escape(value);
        }
        text.remove_prefix(bytes);
    }
    return result + quote;
}

std::optional<std::uint32_t> take_digits(std::string_view& text, std::size_t count, int base) {
    std::uint32_t value = 0;
    if (text.size() < count) {
        return std::nullopt;
    }
    auto const [end, code] = std::from_chars(text.data(), text.data() + count, value, base);
    if (code != std::errc{} || end != text.data() + count) {
        return std::nullopt;
    }
    text.remove_prefix(count);
    return value;
}

// Behind a backslash. Bytes (\x41, \101) go in as they are, code points as UTF-8.
bool append_escape(std::string& result, std::string_view& text, char quote) {
    if (text.empty()) {
        return false;
    }
    char const c = text.front();
    text.remove_prefix(1);
    constexpr std::string_view kNames = "abfnrtv\\";
    constexpr std::string_view kValues = "\a\b\f\n\r\t\v\\";
    if (auto const at = kNames.find(c); at != std::string_view::npos) {
        result += kValues[at];
        return true;
    }
    if (c == quote) {
        result += c;
        return true;
    }
    if (c >= '0' && c <= '7') {
        std::string digits{c};
        digits += text.substr(0, 2);
        std::string_view view{digits};
        auto const value = take_digits(view, 3, 8);
        if (!value || *value > 0xFF) {
            return false;
        }
        text.remove_prefix(2);
        result += static_cast<char>(*value);
        return true;
    }
    if (c != 'x' && c != 'u' && c != 'U') {
        return false;
    }
    auto const value = take_digits(text, c == 'x' ? 2 : (c == 'u' ? 4 : 8), 16);
    if (!value || (c != 'x' && (*value > kCodePointMax || is_surrogate(*value)))) {
        return false;
    }
    if (c == 'x') {
        result += static_cast<char>(*value);
    } else {
        append_code_point(result, *value);
    }
    return true;
}

std::optional<std::string> unescape(std::string_view text, char quote) {
    std::string result;
    while (!text.empty()) {
        char const c = text.front();
        text.remove_prefix(1);
        if (c == quote || c == '\n') {
            return std::nullopt;
        }
        if (c != '\\') {
            result += c;
        } else if (!append_escape(result, text, quote)) {
            return std::nullopt;
        }
    }
    return result;
}

// strconv.FormatFloat(value, 'g', -1, 64) .
std::string show_float(double value) {
    if (std::isnan(value)) {
        return "NaN";
    }
    if (std::isinf(value)) {
        return value < 0 ? "-Inf" : "+Inf";
    }
    std::string const scientific = fmt::format("{:e}", value);
    auto const exponent_at = std::min(scientific.find('e') + 1, scientific.size());
    int exponent = 0;
    std::from_chars(scientific.data() + exponent_at + (scientific[exponent_at] == '+' ? 1 : 0),
                    scientific.data() + scientific.size(), exponent);
    if (value != 0 && (exponent < -4 || exponent >= kShortestDigits)) {
        std::array<char, 64> digits{};
        auto const written = std::to_chars(digits.data(), digits.data() + digits.size(), value,
                                           std::chars_format::scientific);
        return {digits.data(), written.ptr};
    }
    std::array<char, 512> digits{};
    auto const written = std::to_chars(digits.data(), digits.data() + digits.size(), value,
                                       std::chars_format::fixed);
    return {digits.data(), written.ptr};
}

struct Verb {
    bool plus = false;
    bool minus = false;
    bool sharp = false;
    bool space = false;
    bool zero = false;
    std::optional<int> width;
    std::optional<int> precision;
    char32_t letter = 'v';
};

// Fills up to the width; zeros go between sign and digits.
std::string fill(std::string text, Verb const& verb, bool is_number) {
    auto const width = static_cast<std::size_t>(verb.width.value_or(0));
    std::size_t const now = display_width(text);
    if (now >= width) {
        return text;
    }
    if (verb.minus) {
        return text + std::string(width - now, ' ');
    }
    if (!verb.zero) {
        return std::string(width - now, ' ') + text;
    }
    std::size_t const sign =
        is_number && !text.empty() && (text[0] == '-' || text[0] == '+' || text[0] == ' ') ? 1 : 0;
    return text.insert(sign, std::string(width - now, '0'));
}

std::string cut_to_precision(std::string_view text, Verb const& verb) {
    if (!verb.precision.has_value()) {
        return std::string{text};
    }
    std::size_t end = 0;
    for (int i = 0; i < *verb.precision && end < text.size(); ++i) {
        end += first_code_point(text.substr(end)).bytes;
    }
    return std::string{text.substr(0, end)};
}

std::string hex_of(std::string_view text, Verb const& verb) {
    std::string result;
    if (verb.precision.has_value()) {
        text = text.substr(0, static_cast<std::size_t>(*verb.precision));
    }
    bool const upper = verb.letter == 'X';
    std::string const prefix = verb.sharp ? (upper ? "0X" : "0x") : "";
    if (!verb.space && !text.empty()) {
        result += prefix;
    }
    for (std::size_t i = 0; i < text.size(); ++i) {
        auto const byte = static_cast<unsigned char>(text[i]);
        if (verb.space) {
            result += (i == 0 ? "" : " ") + prefix;
        }
        result += upper ? fmt::format("{:02X}", byte) : fmt::format("{:02x}", byte);
    }
    return result;
}

std::optional<std::string> format_text(std::string const& text, Verb const& verb) {
    switch (verb.letter) {
    case 'v':
        return verb.sharp ? fill(go_quote(cut_to_precision(text, verb)), verb, false)
                          : fill(cut_to_precision(text, verb), verb, false);
    case 's':
        return fill(cut_to_precision(text, verb), verb, false);
    case 'q': {
        std::string const cut = cut_to_precision(text, verb);
        bool const raw = verb.sharp && cut.find_first_of("`\n") == std::string::npos;
        Ascii const ascii = verb.plus ? Ascii::yes : Ascii::no;
        return fill(raw ? '`' + cut + '`' : quote_with(cut, '"', ascii), verb, false);
    }
    case 'x':
    case 'X':
        return fill(hex_of(text, verb), verb, false);
    default:
        return std::nullopt;
    }
}

// Digits of the magnitude with at least `precision` of them, sign and prefix in front.
std::string number_text(std::int64_t value, Verb const& verb, int base, std::string_view prefix) {
    auto const magnitude =
        value < 0 ? ~static_cast<std::uint64_t>(value) + 1 : static_cast<std::uint64_t>(value);
    std::array<char, 72> buffer{};
    auto const written =
        std::to_chars(buffer.data(), buffer.data() + buffer.size(), magnitude, base);
    std::string digits{buffer.data(), written.ptr};
    if (verb.letter == 'X') {
        std::ranges::transform(digits, digits.begin(), [](char c) {
            return c >= 'a' && c <= 'f' ? static_cast<char>(c - 'a' + 'A') : c;
        });
    }
    if (verb.precision == 0 && value == 0) {
        digits.clear();
    }
    std::size_t const least = static_cast<std::size_t>(verb.precision.value_or(0));
    if (digits.size() < least) {
        digits.insert(0, least - digits.size(), '0');
    }
    std::string sign;
    if (value < 0) {
        sign = "-";
    } else if (verb.plus) {
        sign = "+";
    } else if (verb.space) {
        sign = " ";
    }
    // Zeros that fill the width count as digits: they stand behind the prefix.
    if (verb.zero && !verb.minus && !verb.precision.has_value() && verb.width.has_value()) {
        auto const width = static_cast<std::size_t>(*verb.width);
        if (digits.size() + sign.size() < width) {
            digits.insert(0, width - digits.size() - sign.size(), '0');
        }
    }
    return sign + std::string{prefix} + digits;
}

std::optional<std::string> format_integer(std::int64_t value, Verb const& verb) {
    Verb spaced = verb;
    spaced.zero = false;
    auto filled = [&](std::string text) { return fill(std::move(text), spaced, true); };
    auto const as_code_point = [&] {
        bool const valid =
            value >= 0 && value <= kCodePointMax && !is_surrogate(static_cast<char32_t>(value));
        std::string text;
        append_code_point(text, valid ? static_cast<char32_t>(value) : kReplacement);
        return text;
    };
    switch (verb.letter) {
    case 'v':
    case 'd':
        return filled(number_text(value, verb, 10, ""));
    case 'b':
        return filled(number_text(value, verb, 2, verb.sharp ? "0b" : ""));
    case 'o':
        return filled(number_text(value, verb, 8, verb.sharp ? "0" : ""));
    case 'O':
        return filled(number_text(value, verb, 8, "0o"));
    case 'x':
        return filled(number_text(value, verb, 16, verb.sharp ? "0x" : ""));
    case 'X':
        return filled(number_text(value, verb, 16, verb.sharp ? "0X" : ""));
    case 'c':
        return filled(as_code_point());
    case 'q':
        return filled(quote_with(as_code_point(), '\''));
    case 'U':
        return filled(verb.sharp ? quote_code_point(as_code_point())
                                 : fmt::format("U+{:04X}", static_cast<std::uint64_t>(value)));
    default:
        return std::nullopt;
    }
}

std::optional<std::string> format_float(double value, Verb const& verb) {
    std::string text;
    int const precision = verb.precision.value_or(6);
    switch (verb.letter) {
    case 'v':
        text = verb.precision.has_value() ? fmt::format("{:.{}g}", value, precision)
                                          : show_float(value);
        break;
    case 'g':
    case 'G':
        text = verb.precision.has_value() ? fmt::format("{:.{}g}", value, precision)
                                          : show_float(value);
        break;
    case 'f':
    case 'F':
        text = fmt::format("{:.{}f}", value, precision);
        break;
    case 'e':
        text = fmt::format("{:.{}e}", value, precision);
        break;
    case 'E':
        text = fmt::format("{:.{}E}", value, precision);
        break;
    default:
        return std::nullopt;
    }
    if (verb.letter == 'G') {
        std::ranges::replace(text, 'e', 'E');
    }
    if (verb.plus && value >= 0) {
        text.insert(0, "+");
    } else if (verb.space && value >= 0) {
        text.insert(0, " ");
    }
    return fill(std::move(text), verb, true);
}

Result<std::string> format_one(Value const& value, Verb const& verb);

// Of a list, a map or a record: every element by the same verb.
Result<std::string> format_elements(Value const& value, Verb const& verb) {
    std::string text;
    auto const put = [&](std::string_view key, Value const& element, char separator) -> Status {
        if (separator != '\0') {
            text += separator;
        }
        if (!key.empty()) {
            text += OBLEA_TRY(format_one(Value(std::string{key}), verb)) + ':';
        }
        text += OBLEA_TRY(format_one(element, verb));
        return {};
    };
    if (auto const* list = value.list()) {
        text = "[";
        for (std::size_t i = 0; i < list->size(); ++i) {
            OBLEA_TRY(put("", (*list)[i], i == 0 ? '\0' : ' '));
        }
        return text + "]";
    }
    if (auto const* map = value.map()) {
        text = "map[";
        bool first = true;
        for (auto const* entry : map->sorted()) {
            OBLEA_TRY(put(entry->first, entry->second, first ? '\0' : ' '));
            first = false;
        }
        return text + "]";
    }
    text = "{";
    bool first = true;
    if (auto const* record = value.record()) {
        for (auto const& [name, make] : record->fields) {
            Value const field = OBLEA_TRY(make());
            OBLEA_TRY(put("", field, first ? '\0' : ' '));
            first = false;
        }
    }
    return text + "}";
}

std::string letter_text(char32_t letter) {
    std::string text;
    append_code_point(text, letter);
    return text;
}

Result<std::string> format_one(Value const& value, Verb const& verb) {
    if (verb.letter == 'T') {
        return fill(value.type_name(), verb, false);
    }
    if (!value.has_value()) {
        return verb.letter == 'v' ? fill("<nil>", verb, false)
                                  : "%!" + letter_text(verb.letter) + "(<nil>)";
    }
    std::optional<std::string> text;
    if (auto const* string = value.get<std::string>()) {
        text = format_text(*string, verb);
    } else if (auto const* integer = value.get<std::int64_t>()) {
        text = format_integer(*integer, verb);
    } else if (auto const* fraction = value.get<double>()) {
        text = format_float(*fraction, verb);
    } else if (auto const* truth = value.get<bool>()) {
        if (verb.letter == 'v' || verb.letter == 't') {
            text = fill(*truth ? "true" : "false", verb, false);
        }
    } else {
        return format_elements(value, verb);
    }
    if (text.has_value()) {
        return *std::move(text);
    }
    std::string const shown = OBLEA_TRY(show(value));
    return fmt::format("%!{}({}={})", letter_text(verb.letter), value.type_name(), shown);
}

// The parts of one "%..." directive, and what it prints.
class Formatter {
public:
    Formatter(std::string_view format, std::span<Value const> values)
        : format_(format), values_(values) {}

    Result<std::string> run() {
        while (!format_.empty()) {
            std::size_t const percent = std::min(format_.find('%'), format_.size());
            result_ += format_.substr(0, percent);
            format_.remove_prefix(percent);
            if (!format_.empty()) {
                format_.remove_prefix(1);
                OBLEA_TRY(directive());
            }
        }
        OBLEA_TRY(report_extra());
        return std::move(result_);
    }

private:
    Status directive() {
        Verb verb;
        take_flags(verb);
        OBLEA_TRY(take_argument_index());
        take_width(verb);
        if (!format_.empty() && format_.front() == '.') {
            format_.remove_prefix(1);
            OBLEA_TRY(take_argument_index());
            take_precision(verb);
        }
        OBLEA_TRY(take_argument_index());
        if (format_.empty()) {
            result_ += "%!(NOVERB)";
            return {};
        }
        auto const [letter, bytes] = first_code_point(format_);
        std::string const spelled{format_.substr(0, bytes)};
        format_.remove_prefix(bytes);
        verb.letter = letter;
        if (letter == '%') {
            result_ += '%';
        } else if (bad_index_) {
            result_ += "%!" + spelled + "(BADINDEX)";
        } else if (next_ >= values_.size()) {
            result_ += "%!" + spelled + "(MISSING)";
        } else {
            result_ += OBLEA_TRY(format_one(values_[next_], verb));
            ++next_;
        }
        bad_index_ = false;
        return {};
    }

    void take_flags(Verb& verb) {
        for (; !format_.empty(); format_.remove_prefix(1)) {
            switch (format_.front()) {
            case '+':
                verb.plus = true;
                break;
            case '-':
                verb.minus = true;
                verb.zero = false;
                break;
            case '#':
                verb.sharp = true;
                break;
            case ' ':
                verb.space = true;
                break;
            case '0':
                verb.zero = !verb.minus;
                break;
            default:
                return;
            }
        }
    }

    std::optional<int> take_number() {
        int number = 0;
        bool any = false;
        while (!format_.empty() && format_.front() >= '0' && format_.front() <= '9') {
            number = std::min(number * 10 + (format_.front() - '0'), kWidthMax + 1);
            any = true;
            format_.remove_prefix(1);
        }
        return any && number <= kWidthMax ? std::optional{number} : std::nullopt;
    }

    // "[2]": which value is next.
    Status take_argument_index() {
        if (format_.empty() || format_.front() != '[') {
            return {};
        }
        reordered_ = true;
        std::size_t const close = format_.find(']');
        if (close == std::string_view::npos) {
            bad_index_ = true;
            format_.remove_prefix(1);
            return {};
        }
        std::size_t number = 0;
        auto const inside = format_.substr(1, close - 1);
        auto const [end, code] =
            std::from_chars(inside.data(), inside.data() + inside.size(), number);
        bool const good = code == std::errc{} && end == inside.data() + inside.size() &&
                          number >= 1 && number <= values_.size();
        format_.remove_prefix(close + 1);
        bad_index_ = !good;
        next_ = good ? number - 1 : next_;
        return {};
    }

    // "*": the next value is the number.
    std::optional<std::int64_t> take_star() {
        format_.remove_prefix(1);
        if (next_ >= values_.size()) {
            return std::nullopt;
        }
        auto const* number = values_[next_++].get<std::int64_t>();
        bool const fits = number != nullptr && *number >= -kWidthMax && *number <= kWidthMax;
        return fits ? std::optional{*number} : std::nullopt;
    }

    void take_width(Verb& verb) {
        if (format_.empty() || format_.front() != '*') {
            verb.width = take_number();
            return;
        }
        auto const number = take_star();
        if (!number.has_value()) {
            result_ += "%!(BADWIDTH)";
            return;
        }
        verb.minus = verb.minus || *number < 0;
        verb.zero = verb.zero && *number >= 0;
        verb.width = static_cast<int>(std::abs(*number));
    }

    void take_precision(Verb& verb) {
        if (format_.empty() || format_.front() != '*') {
            verb.precision = take_number().value_or(0);
            return;
        }
        auto const number = take_star();
        if (!number.has_value()) {
            result_ += "%!(BADPREC)";
        } else if (*number >= 0) {
            verb.precision = static_cast<int>(*number);
        }
    }

    Status report_extra() {
        if (reordered_ || next_ >= values_.size()) {
            return {};
        }
        result_ += "%!(EXTRA ";
        for (std::size_t i = next_; i < values_.size(); ++i) {
            result_ += i == next_ ? "" : ", ";
            if (values_[i].has_value()) {
                result_ += values_[i].type_name() + '=';
            }
            result_ += OBLEA_TRY(show(values_[i]));
        }
        result_ += ')';
        return {};
    }

    std::string_view format_;
    std::span<Value const> values_;
    std::size_t next_ = 0;
    bool reordered_ = false;
    bool bad_index_ = false;
    std::string result_;
};

}  // namespace

CodePoint first_code_point(std::string_view text) {
    auto const byte = [&](std::size_t at) { return static_cast<unsigned char>(text[at]); };
    unsigned char const lead = byte(0);
    std::size_t const length = lead < 0x80 ? 1 : lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
    if (length == 1) {
        return {.value = lead, .bytes = 1};
    }
    if (lead < 0xC2 || lead > 0xF4 || text.size() < length) {
        return {.value = kReplacement, .bytes = 1};
    }
    char32_t value = lead & (0x7FU >> length);
    for (std::size_t i = 1; i < length; ++i) {
        if ((byte(i) & 0xC0U) != 0x80U) {
            return {.value = kReplacement, .bytes = 1};
        }
        value = (value << 6U) | (byte(i) & 0x3FU);
    }
    bool const overlong = (length == 3 && value < 0x800) || (length == 4 && value < 0x10000);
    if (overlong || is_surrogate(value) || value > kCodePointMax) {
        return {.value = kReplacement, .bytes = 1};
    }
    return {.value = value, .bytes = length};
}

void append_code_point(std::string& text, char32_t value) {
    auto const number = static_cast<std::uint32_t>(value);
    auto const tail = [&](unsigned shift) {
        text += static_cast<char>(0x80U | ((number >> shift) & 0x3FU));
    };
    if (number < 0x80) {
        text += static_cast<char>(number);
    } else if (number < 0x800) {
        text += static_cast<char>(0xC0U | (number >> 6U));
        tail(0);
    } else if (number < 0x10000) {
        text += static_cast<char>(0xE0U | (number >> 12U));
        tail(6);
        tail(0);
    } else {
        text += static_cast<char>(0xF0U | (number >> 18U));
        tail(12);
        tail(6);
        tail(0);
    }
}

std::string go_quote(std::string_view text) {
    return quote_with(text, '"');
}

std::string quote_code_point(std::string_view text) {
    auto const [value, bytes] = first_code_point(text);
    auto const number = static_cast<std::uint32_t>(value);
    std::string name = fmt::format("U+{:04X}", number);
    if (is_printable(value)) {
        std::string shown;
        append_code_point(shown, value);
        name += " '" + shown + '\'';
    }
    return name;
}

std::optional<std::string> unquote(std::string_view literal) {
    if (literal.size() < 2 || literal.front() != literal.back()) {
        return std::nullopt;
    }
    std::string_view const inside = literal.substr(1, literal.size() - 2);
    if (literal.front() == '`') {
        std::string text{inside};
        std::erase(text, '\r');
        return text;
    }
    return literal.front() == '"' ? unescape(inside, '"') : std::nullopt;
}

std::optional<std::int64_t> unquote_character(std::string_view literal) {
    if (literal.size() < 3 || literal.front() != '\'' || literal.back() != '\'') {
        return std::nullopt;
    }
    std::string_view const inside = literal.substr(1, literal.size() - 2);
    auto const text = unescape(inside, '\'');
    if (!text.has_value() || text->empty()) {
        return std::nullopt;
    }
    if (text->size() == 1) {
        return static_cast<unsigned char>(text->front());  // '\xff' is the number 255
    }
    auto const [value, bytes] = first_code_point(*text);
    return bytes == text->size() ? std::optional{static_cast<std::int64_t>(value)} : std::nullopt;
}

Result<std::string> show(Value const& value) {
    return format_one(value, Verb{});
}

Result<std::string> sprint(std::span<Value const> values) {
    std::string text;
    bool previous_is_text = true;
    for (std::size_t i = 0; i < values.size(); ++i) {
        bool const is_text = values[i].get<std::string>() != nullptr;
        if (i > 0 && !is_text && !previous_is_text) {
            text += ' ';
        }
        previous_is_text = is_text;
        text += OBLEA_TRY(show(values[i]));
    }
    return text;
}

Result<std::string> sprintln(std::span<Value const> values) {
    std::string text;
    for (std::size_t i = 0; i < values.size(); ++i) {
        text += i == 0 ? "" : " ";
        text += OBLEA_TRY(show(values[i]));
    }
    return text + '\n';
}

Result<std::string> sprintf(std::string_view format, std::span<Value const> values) {
    return Formatter{format, values}.run();
}

}  // namespace oblea::tools::templates
