// SPDX-License-Identifier: MIT
#include "tools/container/volume_rows.h"

#include "tools/template/rows.h"

#include <fmt/format.h>

#include <algorithm>

namespace oblea::tools {
namespace {

using templates::Record;
using templates::Value;

constexpr char const* kDriver = "local";
constexpr char const* kScope = "local";
constexpr char const* kNotKnown = "N/A";  // docker's, too, of what it does not measure here

std::string mount_point(store::Store const& store, Volume const& volume) {
    return store.path() + '/' + volume.data();
}

std::string labels_text(Volume const& volume) {
    std::vector<std::string> list;
    for (auto const& [name, value] : volume.labels) {
        list.push_back(name + '=' + value);
    }
    return fmt::format("{}", fmt::join(list, ","));
}

Record record_of(store::Store const& store, Volume const& volume) {
    Record record{.type = "*formatter.volumeContext"};
    record.set("Name", volume.name);
    record.set("Driver", kDriver);
    record.set("Scope", kScope);
    record.set("Mountpoint", mount_point(store, volume));
    record.set("Labels", labels_text(volume));
    for (char const* field : {"Availability", "Group", "Links", "Size", "Status"}) {
        record.set(field, kNotKnown);
    }
    record.methods["Label"] = [labels = volume.labels](std::string const& name) -> Result<Value> {
        auto const found = labels.find(name);
        return Value{found != labels.end() ? found->second : std::string{}};
    };
    return record;
}

}  // namespace

Result<std::string> render_volumes(store::Store const& store, std::span<Volume const> volumes,
                                   std::string const& format) {
    std::vector<Record> records;
    for (Volume const& volume : volumes) {
        records.push_back(record_of(store, volume));
    }
    return templates::render_rows({.format = format,
                                   .default_table = "{{.Driver}}\t{{.Name}}",
                                   .titles = {{"Name", "VOLUME NAME"},
                                              {"Driver", "DRIVER"},
                                              {"Scope", "SCOPE"},
                                              {"Mountpoint", "MOUNTPOINT"},
                                              {"Labels", "LABELS"},
                                              {"Availability", "AVAILABILITY"},
                                              {"Group", "GROUP"},
                                              {"Links", "LINKS"},
                                              {"Size", "SIZE"},
                                              {"Status", "STATUS"}}},
                                  records);
}

Result<std::vector<Volume>> filter_volumes(std::vector<Volume> volumes, Filters const& filters,
                                           VolumeUses const& uses) {
    auto const dangling = OBLEA_TRY(filters.flag("dangling"));
    std::vector<NameMatcher> names;
    for (std::string const& pattern : filters.of("name")) {
        names.push_back(OBLEA_TRY(name_matcher(pattern)));
    }
    auto const& drivers = filters.of("driver");
    std::erase_if(volumes, [&](Volume const& volume) {
        bool const kept =
            (!dangling.has_value() || *dangling != uses.contains(volume.name)) &&
            (drivers.empty() || std::ranges::find(drivers, kDriver) != drivers.end()) &&
            (names.empty() ||
             std::ranges::any_of(
                 names, [&](NameMatcher const& matches) { return matches(volume.name); })) &&
            has_labels(volume.labels, filters.of("label"));
        return !kept;
    });
    return volumes;
}

nlohmann::ordered_json describe_volume(store::Store const& store, Volume const& volume) {
    nlohmann::ordered_json labels = nullptr;
    for (auto const& [name, value] : volume.labels) {
        labels[name] = value;
    }
    return {{"CreatedAt", volume.created},
            {"Driver", kDriver},
            {"Labels", std::move(labels)},
            {"Mountpoint", mount_point(store, volume)},
            {"Name", volume.name},
            {"Options", nullptr},
            {"Scope", kScope}};
}

}  // namespace oblea::tools
