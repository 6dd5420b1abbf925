// SPDX-License-Identifier: MIT
#include "tools/registry/copy/layout_documents.h"

#include "store/image/manifest.h"
#include "store/layer/layout.h"

#include <nlohmann/json.hpp>

namespace oblea::registry {

namespace {

using nlohmann::ordered_json;

bool has_name(ordered_json const& descriptor, std::string const& name) {
    if (!descriptor.is_object() || !descriptor.contains("annotations")) {
        return false;
    }
    ordered_json const& annotations = descriptor["annotations"];
    return annotations.is_object() && annotations.contains(store::kRefNameAnnotation) &&
           annotations[store::kRefNameAnnotation] == name;
}

}  // namespace

LayoutEntry layout_entry(RemoteManifest const& manifest, CopyName const& name) {
    return {.media_type = manifest_type(manifest.bytes, manifest.media_type),
            .digest = manifest.digest,
            .bytes = manifest.bytes.size(),
            .name = name};
}

Result<std::string> with_entries(std::string_view before, std::vector<LayoutEntry> const& entries) {
    ordered_json document = before.empty()
                                ? ordered_json{{"schemaVersion", 2},
                                               {"mediaType", store::media_type::kOciIndex},
                                               {"manifests", ordered_json::array()}}
                                : ordered_json::parse(before, nullptr, false);
    if (!document.is_object() || !document.contains("manifests") ||
        !document["manifests"].is_array()) {
        return fail(Errno::einval, "",
                    std::string{store::layout::kOciIndex} + " is no image index");
    }
    ordered_json& list = document["manifests"];
    for (auto const& entry : entries) {
        ordered_json kept = ordered_json::array();
        for (auto const& old : list) {
            if (!has_name(old, entry.name.tag)) {
                kept.push_back(old);
            }
        }
        list = std::move(kept);
        ordered_json annotations = {{store::kRefNameAnnotation, entry.name.tag}};
        if (entry.name.full.has_value()) {
            annotations[store::kFullNameAnnotation] = *entry.name.full;
        }
        list.push_back({{"mediaType", entry.media_type},
                        {"digest", entry.digest.to_string()},
                        {"size", entry.bytes},
                        {"annotations", std::move(annotations)}});
    }
    return document.dump();
}

}  // namespace oblea::registry
