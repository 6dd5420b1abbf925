// SPDX-License-Identifier: MIT
#include "tools/images/inspect_image.h"

#include "store/base/limits.h"
#include "store/image/manifest.h"
#include "store/image/reference.h"
#include "tools/images/image_config.h"

#include <algorithm>
#include <array>

namespace oblea::tools {

using nlohmann::ordered_json;

namespace {

// In docker's order. What is empty is left out, as docker does.
constexpr std::array kConfigFields{
    "User",       "ExposedPorts", "Env",     "Cmd",    "Healthcheck", "ArgsEscaped", "Volumes",
    "WorkingDir", "Entrypoint",   "OnBuild", "Labels", "StopSignal",  "StopTimeout", "Shell"};

bool is_empty(ordered_json const& value) {
    return value.is_null() || (value.is_string() && value.get_ref<std::string const&>().empty()) ||
           ((value.is_array() || value.is_object()) && value.empty());
}

// Maps are sorted, as Go prints them.
ordered_json sorted(ordered_json const& value) {
    if (!value.is_object()) {
        return value;
    }
    std::map<std::string, ordered_json> entries;
    for (auto const& item : value.items()) {
        entries[item.key()] = item.value();
    }
    ordered_json result = ordered_json::object();
    for (auto const& [key, entry] : entries) {
        result[key] = entry;
    }
    return result;
}

ordered_json config_of(ordered_json const& document) {
    ordered_json result = ordered_json::object();
    auto const config = document.find("config");
    if (config == document.end() || !config->is_object()) {
        return result;
    }
    for (char const* field : kConfigFields) {
        auto const found = config->find(field);
        if (found != config->end() && !is_empty(*found)) {
            result[field] = std::string_view{field} == "Healthcheck" ? *found : sorted(*found);
        }
    }
    return result;
}

struct Names {
    ordered_json tags = ordered_json::array();
    ordered_json digests = ordered_json::array();
};

Names names_of(store::Image const& image) {
    Names names;
    std::vector<std::string> digests;
    auto add_digest = [&](std::string const& name) {
        if (std::ranges::find(digests, name) == digests.end()) {
            digests.push_back(name);
            names.digests.push_back(name);
        }
    };
    for (auto const& name : image.names) {
        auto const reference = store::Reference::parse(name);
        if (!reference.has_value()) {
            continue;
        }
        if (reference->digest.has_value()) {
            add_digest(reference->familiar_repository() + '@' + reference->digest->to_string());
            continue;
        }
        names.tags.push_back(reference->familiar());
        if (auto const& manifest = image.manifest; manifest.has_value()) {
            add_digest(reference->familiar_repository() + '@' + manifest->to_string());
        }
    }
    return names;
}

std::string text_of(ordered_json const& document, char const* key) {
    auto const found = document.find(key);
    return found != document.end() && found->is_string() ? found->get<std::string>() : "";
}

Result<ordered_json> descriptor_of(store::Store const& store, store::Digest const& manifest) {
    auto const bytes = OBLEA_TRY(store.read_blob(manifest, limits::kManifestBytesMax));
    if (!bytes.has_value()) {
        return ordered_json(nullptr);
    }
    auto const document = ordered_json::parse(*bytes, nullptr, false);
    std::string const type = document.is_object() ? text_of(document, "mediaType") : "";
    return ordered_json{{"mediaType", type.empty() ? store::media_type::kOciManifest : type},
                        {"digest", manifest.to_string()},
                        {"size", bytes->size()}};
}

}  // namespace

Result<ordered_json> describe_image(store::Store const& store, store::Image const& image) {
    auto const config = OBLEA_TRY(read_image_config(store, image));
    ordered_json const& document = *config.document;
    Names const names = names_of(image);
    ordered_json layers = ordered_json::array();
    for (auto const& layer : image.layers) {
        layers.push_back(layer.diff_id.to_string());
    }
    ordered_json result = {
        {"Id", image.id.to_string()}, {"RepoTags", names.tags}, {"RepoDigests", names.digests}};
    if (auto const& parent = image.parent; parent.has_value()) {
        result["Parent"] = parent->to_string();
    }
    result["Comment"] = config.history.empty() ? "" : config.history.back().comment;
    result["Created"] = image.created;
    result["Author"] = config.author;
    result["Config"] = config_of(document);
    result["Architecture"] = image.architecture;
    if (!image.variant.empty()) {
        result["Variant"] = image.variant;
    }
    result["Os"] = image.os;
    if (std::string const version = text_of(document, "os.version"); !version.empty()) {
        result["OsVersion"] = version;
    }
    result["Size"] = image.size_bytes;
    result["GraphDriver"] = {{"Name", "oblea"}, {"Data", nullptr}};
    result["RootFS"] = {{"Type", "layers"}, {"Layers", std::move(layers)}};
    result["Metadata"] = {{"LastTagTime", "0001-01-01T00:00:00Z"}};  // not recorded: Go's no time
    if (auto const& manifest = image.manifest; manifest.has_value()) {
        ordered_json const descriptor = OBLEA_TRY(descriptor_of(store, *manifest));
        if (!descriptor.is_null()) {
            result["Descriptor"] = descriptor;
        }
    }
    return result;
}

}  // namespace oblea::tools
