// SPDX-License-Identifier: MIT
// Results as a table, as JSON, and as one page that needs nothing else. Pure.
#pragma once
#include "bench/results.h"

#include <string>
#include <utility>
#include <vector>

namespace oblea::bench {

// What the figures were taken on: "kernel" "6.1", "processors" "2", ...
using Machine = std::vector<std::pair<std::string, std::string>>;

[[nodiscard]] std::string table_of(Results const& results);
[[nodiscard]] std::string json_of(Results const& results, Machine const& machine);
[[nodiscard]] std::string html_of(Results const& results, Machine const& machine);

}  // namespace oblea::bench
