// SPDX-License-Identifier: MIT
#include "tools/explore/render_report.h"

#include "tools/explore/page.h"
#include "tools/output/human.h"
#include "tools/output/plain_text.h"
#include "tools/output/table.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace oblea::tools {

using nlohmann::ordered_json;

namespace {

constexpr std::size_t kCreatedByWidth = 60;

double percent(std::uint64_t part, std::uint64_t whole) {
    return whole == 0 ? 0 : 100.0 * static_cast<double>(part) / static_cast<double>(whole);
}

std::string layers_text(ReportedImage const& image) {
    Table table({"LAYER", "DIGEST", "SIZE", "ADDED", "CHANGED", "DELETED", "WASTES", "MADE BY"});
    for (std::size_t i = image.layers.size(); i-- > 0;) {
        LayerReport const& layer = image.report.layers[i];
        table.add_row({std::to_string(i + 1), image.layers[i].diff_id.short_hex(),
                       human_size(layer.bytes), std::to_string(layer.added),
                       std::to_string(layer.changed), std::to_string(layer.deleted),
                       human_size(layer.wasted_bytes),
                       cut_to_width(image.layers[i].created_by, kCreatedByWidth)});
    }
    return table.render();
}

std::string largest_text(ImageReport const& report) {
    Table table({"SIZE", "LAYER", "LARGEST FILES"});
    for (auto const& file : report.largest) {
        table.add_row({human_size(file.bytes), std::to_string(file.layer + 1), file.path});
    }
    return '\n' + table.render();
}

std::string wasted_text(ImageReport const& report) {
    if (report.wasted.empty()) {
        return "";
    }
    Table table({"SIZE", "TIMES", "WASTED BY REPLACING OR DELETING"});
    for (auto const& path : report.wasted) {
        table.add_row({human_size(path.bytes), std::to_string(path.times), path.path});
    }
    return '\n' + table.render();
}

std::string duplicates_text(ImageReport const& report) {
    if (report.duplicates.empty()) {
        return "";
    }
    Table table({"SIZE", "COPIES", "SAME CONTENTS"});
    for (auto const& group : report.duplicates) {
        for (auto const& path : group.paths) {
            bool const first = &path == &group.paths.front();
            table.add_row({first ? human_size(group.bytes) : "",
                           first ? std::to_string(group.paths.size()) : "", path});
        }
    }
    return '\n' + table.render();
}

// [name, bytes, layer, type] and, of a folder, its children: short, for there are many.
ordered_json tree_json(std::string const& name, TreeNode const& node) {
    ordered_json entry = {name, node.bytes, node.layer, static_cast<int>(node.type)};
    if (node.type == store::FileType::directory) {
        ordered_json children = ordered_json::array();
        for (auto const& [child_name, child] : node.children) {
            children.push_back(tree_json(child_name, child));
        }
        entry.push_back(std::move(children));
    }
    return entry;
}

ordered_json document_of(ReportedImage const& image) {
    ordered_json layers = ordered_json::array();
    for (std::size_t i = 0; i < image.layers.size(); ++i) {
        LayerReport const& layer = image.report.layers[i];
        layers.push_back({{"digest", image.layers[i].diff_id.to_string()},
                          {"by", image.layers[i].created_by},
                          {"added", layer.added},
                          {"changed", layer.changed},
                          {"deleted", layer.deleted},
                          {"bytes", layer.bytes},
                          {"wasted", layer.wasted_bytes}});
    }
    ordered_json largest = ordered_json::array();
    for (auto const& file : image.report.largest) {
        largest.push_back({file.path, file.bytes, file.layer});
    }
    ordered_json wasted = ordered_json::array();
    for (auto const& path : image.report.wasted) {
        wasted.push_back({path.path, path.bytes, path.times});
    }
    ordered_json duplicates = ordered_json::array();
    for (auto const& group : image.report.duplicates) {
        duplicates.push_back({group.paths, group.bytes});
    }
    return {{"name", image.name},
            {"id", image.id},
            {"bytes", image.report.total_bytes()},
            {"wastedBytes", image.report.wasted_bytes()},
            {"layers", std::move(layers)},
            {"largest", std::move(largest)},
            {"wasted", std::move(wasted)},
            {"duplicates", std::move(duplicates)},
            {"tree", tree_json("/", image.report.root)}};
}

}  // namespace

std::string render_text(ReportedImage const& image) {
    std::uint64_t const total = image.report.total_bytes();
    std::uint64_t const wasted = image.report.wasted_bytes();
    return fmt::format("{}  {}  {} in {} layer{}, {} ({:.1f}%) wasted\n\n", one_line(image.name),
                       image.id, human_size(total), image.layers.size(),
                       image.layers.size() == 1 ? "" : "s", human_size(wasted),
                       percent(wasted, total)) +
           layers_text(image) + largest_text(image.report) + wasted_text(image.report) +
           duplicates_text(image.report);
}

std::string render_html(ReportedImage const& image) {
    constexpr std::string_view kPlace = "@DOCUMENT@";
    std::string data =
        document_of(image).dump(-1, ' ', false, ordered_json::error_handler_t::replace);
    // Names come from the image: nothing in them may end the script.
    for (std::size_t at = 0; (at = data.find('<', at)) != std::string::npos;) {
        data.replace(at, 1, "\\u003c");
    }
    std::string page{kPage};
    return page.replace(page.find(kPlace), kPlace.size(), data);
}

}  // namespace oblea::tools
