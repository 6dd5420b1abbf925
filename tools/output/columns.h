// SPDX-License-Identifier: MIT
// Text with tabs as columns, as Go's text/tabwriter makes them for docker: minwidth 10 (of most),
// padding 3.
//
// Pure. A cell ends with a tab; what stands behind the last tab of a line belongs to no column. A
// column goes on for as long as successive lines have it.
#pragma once
#include <string>
#include <string_view>

namespace oblea::tools {

[[nodiscard]] std::string align_columns(std::string_view text, std::size_t width_min = 10);

}  // namespace oblea::tools
