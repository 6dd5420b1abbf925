// SPDX-License-Identifier: MIT
// An image's report as text for a terminal, and as one HTML page that needs nothing else. Pure.
#pragma once
#include "tools/explore/image_report.h"
#include "tools/images/layer_notes.h"

#include <string>
#include <vector>

namespace oblea::tools {

struct ReportedImage {
    std::string name;
    std::string id;
    std::vector<LayerNote> layers;  // bottom first
    ImageReport report;
};

[[nodiscard]] std::string render_text(ReportedImage const& image);
[[nodiscard]] std::string render_html(ReportedImage const& image);

}  // namespace oblea::tools
