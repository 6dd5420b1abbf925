// SPDX-License-Identifier: MIT
// "Did you mean": the known word that is nearest to a mistyped one. Pure.
#pragma once
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace oblea::tools {

// Insertions, deletions, substitutions and swaps of neighbours (optimal string alignment).
[[nodiscard]] std::size_t edit_distance(std::string_view a, std::string_view b);

// The nearest of `known`, the first of equals; nothing when none is near enough to be meant: at
// most a third of the word's letters wrong, and at least three letters typed.
[[nodiscard]] std::optional<std::string> suggest(std::string_view typed,
                                                 std::vector<std::string> const& known);

// "; did you mean 'x'?", or nothing.
[[nodiscard]] std::string did_you_mean(std::string_view typed,
                                       std::vector<std::string> const& known);

}  // namespace oblea::tools
