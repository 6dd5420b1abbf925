// SPDX-License-Identifier: MIT
#include "tools/output/table.h"

#include "tools/output/plain_text.h"

#include <algorithm>

namespace oblea::tools {

namespace {
constexpr std::size_t kColumnWidthMin = 10;
constexpr std::size_t kColumnPadding = 3;
}  // namespace

Table::Table(std::vector<std::string> headers) {
    rows_.push_back(std::move(headers));
}

void Table::add_row(std::vector<std::string> cells) {
    cells.resize(rows_.front().size());
    for (auto& cell : cells) {
        cell = one_line(cell);
    }
    rows_.push_back(std::move(cells));
}

std::string Table::render() const {
    std::vector<std::size_t> widths(rows_.front().size(), kColumnWidthMin);
    for (auto const& row : rows_) {
        for (std::size_t i = 0; i < row.size(); ++i) {
            widths[i] = std::max(widths[i], display_width(row[i]) + kColumnPadding);
        }
    }
    std::string text;
    for (auto const& row : rows_) {
        for (std::size_t i = 0; i < row.size(); ++i) {
            text += row[i];
            if (i + 1 < row.size()) {
                text.append(widths[i] - display_width(row[i]), ' ');
            }
        }
        text += '\n';
    }
    return text;
}

}  // namespace oblea::tools
