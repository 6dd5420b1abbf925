// SPDX-License-Identifier: MIT
#include "tools/cli/suggest.h"

#include <algorithm>
#include <utility>

namespace oblea::tools {

std::size_t edit_distance(std::string_view a, std::string_view b) {
    std::size_t const width = b.size() + 1;
    std::vector<std::size_t> two_before(width);
    std::vector<std::size_t> before(width);
    std::vector<std::size_t> row(width);
    for (std::size_t j = 0; j < width; ++j) {
        row[j] = j;
    }
    for (std::size_t i = 1; i <= a.size(); ++i) {
        std::swap(two_before, before);
        std::swap(before, row);
        row[0] = i;
        for (std::size_t j = 1; j < width; ++j) {
            std::size_t const change = a[i - 1] == b[j - 1] ? 0 : 1;
            row[j] = std::min({before[j] + 1, row[j - 1] + 1, before[j - 1] + change});
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
                row[j] = std::min(row[j], two_before[j - 2] + 1);
            }
        }
    }
    return row[b.size()];
}

std::optional<std::string> suggest(std::string_view typed, std::vector<std::string> const& known) {
    if (typed.size() < 3) {
        return std::nullopt;  // everything is near to "-x"
    }
    // Distance first, then difference of length: "imagse" is rather "images" than "image".
    using Badness = std::pair<std::size_t, std::size_t>;
    Badness least{std::max<std::size_t>(1, typed.size() / 3) + 1, 0};
    std::optional<std::string> best;
    for (auto const& word : known) {
        std::size_t const longer = std::max(typed.size(), word.size());
        Badness const badness{edit_distance(typed, word),
                              longer - std::min(typed.size(), word.size())};
        // A word that has nothing in common with the typed one is no suggestion, however short.
        if (badness < least && badness.first < longer) {
            least = badness;
            best = word;
        }
    }
    return best;
}

std::string did_you_mean(std::string_view typed, std::vector<std::string> const& known) {
    auto const nearest = suggest(typed, known);
    return nearest.has_value() ? "; did you mean '" + *nearest + "'?" : std::string{};
}

}  // namespace oblea::tools
