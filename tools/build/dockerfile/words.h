// SPDX-License-Identifier: MIT
// How the arguments of an instruction fall into parts. Pure.
#pragma once
#include "store/base/error.h"
#include "tools/build/dockerfile/dockerfile.h"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace oblea::tools::dockerfile {

// Parts between spaces; quotes mean nothing.
[[nodiscard]] std::vector<std::string> split_at_spaces(std::string_view text);

// Words in which quotes and escapes hold spaces; both stay, for expand_word to take off.
[[nodiscard]] std::vector<std::string> split_quoted(std::string_view text, char escape);

// A JSON array of strings; nothing for any other text. Errors: EINVAL for an array of anything
// else.
Result<std::optional<std::vector<std::string>>> exec_form(std::string_view text);

// "NAME=VALUE NAME=VALUE ...", or "NAME the value" in the old form. Errors: EINVAL.
Result<std::vector<Pair>> parse_pairs(std::string_view text, std::string_view keyword, char escape);

// The heredocs that a line announces, without their contents; none where its quotes are open, which
// is for the shell to say.
[[nodiscard]] std::vector<Heredoc> find_heredocs(std::string_view line);

// Of one word, "<<EOF".
[[nodiscard]] std::optional<Heredoc> parse_heredoc_mark(std::string_view word);

}  // namespace oblea::tools::dockerfile
