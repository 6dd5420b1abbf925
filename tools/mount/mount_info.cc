// SPDX-License-Identifier: MIT
#include "tools/mount/mount_info.h"

#include <nlohmann/json.hpp>

namespace oblea::tools {
namespace {

using nlohmann::json;

struct Field {
    char const* name;
    std::string MountInfo::* member;
};

constexpr std::array kTexts{Field{"mount_point", &MountInfo::mount_point},
                            Field{"image", &MountInfo::image},
                            Field{"image_name", &MountInfo::image_name},
                            Field{"container", &MountInfo::container},
                            Field{"container_id", &MountInfo::container_id},
                            Field{"upper_dir", &MountInfo::upper_dir},
                            Field{"mode", &MountInfo::mode},
                            Field{"protocol", &MountInfo::protocol},
                            Field{"data", &MountInfo::data},
                            Field{"reason", &MountInfo::reason},
                            Field{"transport", &MountInfo::transport},
                            Field{"transport_reason", &MountInfo::transport_reason},
                            Field{"started", &MountInfo::started},
                            Field{"program", &MountInfo::program},
                            Field{"upgrade_error", &MountInfo::upgrade_error}};

// Absent or of another type: empty. The file is ours, and a broken one only shows less.
std::string text_of(json const& object, char const* name) {
    auto const found = object.find(name);
    return found != object.end() && found->is_string() ? found->get<std::string>() : "";
}

template <typename T>
T number_of(json const& object, char const* name, T otherwise) {
    auto const found = object.find(name);
    return found != object.end() && found->is_number_integer() ? found->get<T>() : otherwise;
}

std::optional<DescribedMount> mount_of(json const& about) {
    if (!about.is_object() || text_of(about, "kind") != "mount") {
        return std::nullopt;
    }
    DescribedMount mount;
    for (Field const& field : kTexts) {
        mount.info.*field.member = text_of(about, field.name);
    }
    mount.device = text_of(about, "device");
    mount.info.pid = number_of<std::int64_t>(about, "pid", 0);
    mount.info.upgrades = number_of<std::int64_t>(about, "upgrades", 0);
    mount.counters = number_of<int>(about, "counters", -1);
    if (auto const notes = about.find("notes"); notes != about.end() && notes->is_array()) {
        for (json const& note : *notes) {
            if (note.is_string()) {
                mount.info.notes.push_back(note.get<std::string>());
            }
        }
    }
    return mount;
}

}  // namespace

std::string encode_mount(DescribedMount const& mount) {
    json about = {{"kind", "mount"},
                  {"pid", mount.info.pid},
                  {"device", mount.device},
                  {"upgrades", mount.info.upgrades},
                  {"counters", mount.counters},
                  {"notes", mount.info.notes}};
    for (Field const& field : kTexts) {
        about[field.name] = mount.info.*field.member;
    }
    return about.dump(-1, ' ', false, json::error_handler_t::replace);
}

std::optional<DescribedMount> parse_mount(std::string_view lease_description) {
    json const document = json::parse(lease_description, nullptr, false);
    auto const about = document.is_object() ? document.find("about") : document.end();
    return about != document.end() ? mount_of(*about) : std::nullopt;
}

std::optional<DescribedMount> parse_encoded_mount(std::string_view text) {
    return mount_of(json::parse(text, nullptr, false));
}

}  // namespace oblea::tools
