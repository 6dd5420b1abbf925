// SPDX-License-Identifier: MIT
#include "tools/output/table.h"

#include "tools/output/columns.h"
#include "tools/output/plain_text.h"

namespace oblea::tools {

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
    std::string text;
    for (auto const& row : rows_) {
        for (std::size_t i = 0; i < row.size(); ++i) {
            text += row[i];
            text += i + 1 < row.size() ? '\t' : '\n';
        }
    }
    return align_columns(text);
}

}  // namespace oblea::tools
