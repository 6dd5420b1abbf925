// SPDX-License-Identifier: MIT
// Variables, quotes and escapes in the words of a Dockerfile.
//
// $NAME, ${NAME}, ${NAME:-word}, ${NAME-word}, :+ + :? ?, ${NAME#pattern} ## % %%,
// ${NAME/pattern/replacement} and //. Words nest, patterns have * and ?. Pure.
// Spec: Dockerfile reference "Environment replacement".
#pragma once
#include "store/base/error.h"

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace oblea::tools::dockerfile {

// The value of a variable, nothing when it is not set. It is asked once for each use: who counts
// the uses can do so here.
using Lookup = std::function<std::optional<std::string>(std::string_view name)>;

// All of these: EINVAL for what is no substitution, an open quote, or a variable that must be set
// and is not; E2BIG when the result is past limits::kExpandedBytesMax.

// One word: variables replaced, quotes removed, escapes undone; spaces stay.
Result<std::string> expand_word(std::string_view word, char escape, Lookup const& lookup);

// The same, split at spaces that are neither quoted nor escaped, also those that come from
// variables.
Result<std::vector<std::string>> expand_words(std::string_view text, char escape,
                                              Lookup const& lookup);

// A text in which quotes mean nothing (a heredoc's).
Result<std::string> expand_text(std::string_view text, Lookup const& lookup);

// Split as by expand_words, but with quotes, escapes and variables left as they are.
Result<std::vector<std::string>> split_words(std::string_view text);

}  // namespace oblea::tools::dockerfile
