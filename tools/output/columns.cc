// SPDX-License-Identifier: MIT
#include "tools/output/columns.h"

#include "store/base/text.h"
#include "tools/output/plain_text.h"

#include <algorithm>
#include <span>
#include <vector>

namespace oblea::tools {

namespace {

constexpr std::size_t kPadding = 3;

using Cells = std::vector<std::string_view>;  // the last one stands in no column

struct Line {
    Cells cells;
    std::vector<std::size_t> widths;  // of its columns, as far as they are known
};

bool has_column(Line const& line, std::size_t column) {
    return column + 1 < line.cells.size();
}

// Finds the blocks of lines that have this column, and those of the next one within each.
void measure(std::span<Line> lines, std::size_t column, std::size_t width_min) {
    while (!lines.empty()) {
        auto const first =
            std::ranges::find_if(lines, [&](Line const& line) { return has_column(line, column); });
        lines = lines.subspan(static_cast<std::size_t>(first - lines.begin()));
        auto const end = std::ranges::find_if_not(
            lines, [&](Line const& line) { return has_column(line, column); });
        auto const block = lines.first(static_cast<std::size_t>(end - lines.begin()));
        std::size_t width = width_min;
        for (Line const& line : block) {
            width = std::max(width, display_width(line.cells[column]) + kPadding);
        }
        for (Line& line : block) {
            line.widths.push_back(width);
        }
        if (!block.empty()) {
            measure(block, column + 1, width_min);
        }
        lines = lines.subspan(block.size());
    }
}

}  // namespace

std::string align_columns(std::string_view text, std::size_t width_min) {
    std::vector<Line> lines;
    for (std::string_view const line : base::split(text, '\n')) {
        lines.push_back({.cells = base::split(line, '\t'), .widths = {}});
    }
    measure(lines, 0, width_min);
    std::string result;
    for (Line const& line : lines) {
        for (std::size_t i = 0; i < line.cells.size(); ++i) {
            result += line.cells[i];
            if (i < line.widths.size()) {
                result.append(line.widths[i] - display_width(line.cells[i]), ' ');
            }
        }
        result += '\n';
    }
    result.pop_back();  // the last line has what the text had
    return result;
}

}  // namespace oblea::tools
