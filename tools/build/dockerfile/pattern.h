// SPDX-License-Identifier: MIT
// Patterns of ${NAME#pattern} and its kin: '*' is any text, '?' any character, nothing else is
// special but a backslash before one of them. Pure.
#pragma once
#include "store/base/error.h"

#include <string>
#include <string_view>
#include <vector>

namespace oblea::tools::dockerfile {

class Pattern {
public:
    // A backslash before '*', '?' and itself takes their meaning, one before '}' and '/' was needed
    // to write them. Errors: EINVAL for any other.
    static Result<Pattern> parse(std::string_view text);

    enum class Length { shortest, longest };
    // The value without the beginning, or the end, that matches.
    [[nodiscard]] std::string without_prefix(std::string_view value, Length length) const;
    [[nodiscard]] std::string without_suffix(std::string_view value, Length length) const;

    enum class Which { first, all };
    // Each time the longest match from the left.
    [[nodiscard]] std::string replaced(std::string_view value, std::string_view by,
                                       Which which) const;

private:
    struct Part {
        enum class Kind { literal, any_character, any_text } kind = Kind::literal;
        char32_t character = 0;
    };
    using Parts = std::vector<Part>;
    static constexpr std::size_t kNone = static_cast<std::size_t>(-1);
    // How many characters from `first` on match; kNone when they do not.
    static std::size_t match(Parts const& parts, std::u32string_view value, Length length);

    Parts parts_;
};

}  // namespace oblea::tools::dockerfile
