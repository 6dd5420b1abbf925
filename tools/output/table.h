// SPDX-License-Identifier: MIT
// Columns as docker's tables have them: Go's text/tabwriter with minwidth 10, padding 3.
//
// Pure. Cells are made safe for a terminal when they are added.
#pragma once
#include <string>
#include <vector>

namespace oblea::tools {

class Table {
public:
    explicit Table(std::vector<std::string> headers);
    void add_row(std::vector<std::string> cells);  // as many as there are headers

    // Every column but the last is as wide as its widest cell plus 3, at least 10.
    [[nodiscard]] std::string render() const;

private:
    std::vector<std::vector<std::string>> rows_;
};

}  // namespace oblea::tools
