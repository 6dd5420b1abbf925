// SPDX-License-Identifier: MIT
// The lines of a Dockerfile as instructions have them: without comments, continuation lines joined,
// parser directives taken out. Pure.
//
// Spec: Dockerfile reference "Format", "Parser directives", "Here-documents".
#pragma once
#include "store/base/error.h"
#include "tools/build/dockerfile/dockerfile.h"

#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace oblea::tools::dockerfile {

class LineReader {
public:
    explicit LineReader(std::string_view text);

    struct Line {
        Lines lines;
        std::string text;  // not empty, without line breaks
    };
    // The next instruction's text; nothing at the end. Errors: EINVAL for a wrong directive; line()
    // is its place.
    Result<std::optional<Line>> next();

    // The lines up to the one that is `name`, which is taken too. Errors: EINVAL when there is
    // none.
    Result<std::string> read_heredoc(std::string_view name, bool chomp);

    [[nodiscard]] char escape() const { return escape_; }
    [[nodiscard]] std::size_t line() const { return line_; }  // of what was read last; from 1
    // Lines inside of an instruction that are empty, which docker says will be errors.
    [[nodiscard]] std::vector<std::size_t> const& empty_lines() const { return empty_lines_; }

private:
    std::string_view take_line();  // with its line break
    Status take_directive(std::string_view line);
    // Takes the continuation mark off; whether there was one.
    bool take_continuation(std::string_view& line) const;

    std::string_view rest_;
    std::size_t line_ = 0;
    char escape_ = '\\';
    bool directives_possible_ = true;  // only before all else
    std::set<std::string, std::less<>> directives_;
    std::vector<std::size_t> empty_lines_;
};

}  // namespace oblea::tools::dockerfile
