// SPDX-License-Identifier: MIT
#include "tools/images/save_plan.h"

#include "store/image/manifest.h"
#include "store/image/reference.h"

#include <nlohmann/json.hpp>

#include <algorithm>

namespace oblea::tools {

using nlohmann::json;
using store::Reference;

namespace {

// The tags of a repository that was named without one, with their images.
std::vector<SavedImage> all_tags(store::Images const& images, Reference const& repository) {
    std::vector<SavedImage> found;
    for (auto const& image : images.all()) {
        SavedImage saved{.image = image, .names = {}};
        for (auto const& name : image.names) {
            auto const reference = Reference::parse(name);
            if (reference.has_value() && reference->tag.has_value() &&
                reference->repository() == repository.repository()) {
                saved.names.push_back(name);
            }
        }
        if (!saved.names.empty()) {
            found.push_back(std::move(saved));
        }
    }
    return found;
}

Result<std::vector<SavedImage>> meant_by(store::Images const& images, std::string const& typed) {
    auto const reference = Reference::parse(typed);
    if (reference.has_value() && !reference->tag.has_value() && !reference->digest.has_value()) {
        auto found = all_tags(images, *reference);
        if (!found.empty()) {
            return found;
        }
    }
    SavedImage saved{.image = *OBLEA_TRY(images.resolve(typed)), .names = {}};
    if (reference.has_value() && reference->tag.has_value()) {
        Reference name = *reference;
        name.digest.reset();
        // "sha256:<digits>" reads like a name too.
        if (images.find_name(name.canonical()) != nullptr) {
            saved.names.push_back(name.canonical());
        }
    }
    return std::vector{std::move(saved)};
}

std::string blob_path(store::Digest const& digest) {
    return "blobs/sha256/" + digest.hex();
}

}  // namespace

Result<std::vector<SavedImage>> plan_save(store::Images const& images,
                                          std::span<std::string const> typed) {
    std::vector<SavedImage> plan;
    for (auto const& word : typed) {
        auto const meant = OBLEA_TRY(meant_by(images, word));
        for (auto const& saved : meant) {
            auto const same = std::ranges::find(plan, saved.image.id,
                                                [](SavedImage const& one) { return one.image.id; });
            if (same == plan.end()) {
                plan.push_back(saved);
                continue;
            }
            for (auto const& name : saved.names) {
                if (std::ranges::find(same->names, name) == same->names.end()) {
                    same->names.push_back(name);
                }
            }
        }
    }
    return plan;
}

std::string encode_layout_index(std::span<SavedBlobs const> images) {
    json list = json::array();
    for (auto const& image : images) {
        json const descriptor = {{"mediaType", image.manifest_type},
                                 {"digest", image.manifest.to_string()},
                                 {"size", image.manifest_bytes}};
        if (image.names.empty()) {
            list.push_back(descriptor);
        }
        for (auto const& name : image.names) {
            auto const reference = Reference::parse(name);
            json named = descriptor;
            named["annotations"] = {{store::kFullNameAnnotation, name}};
            if (reference.has_value() && reference->tag.has_value()) {
                named["annotations"][store::kRefNameAnnotation] = *reference->tag;
            }
            list.push_back(std::move(named));
        }
    }
    return json{{"schemaVersion", 2},
                {"mediaType", store::media_type::kOciIndex},
                {"manifests", std::move(list)}}
        .dump();
}

std::string encode_docker_manifest(std::span<SavedBlobs const> images) {
    json list = json::array();
    for (auto const& image : images) {
        json layers = json::array();
        for (auto const& layer : image.layers) {
            layers.push_back(blob_path(layer));
        }
        // In full: podman takes a short name for one of localhost/.
        json names = image.names;
        list.push_back({{"Config", blob_path(image.config)},
                        {"RepoTags", names.empty() ? json(nullptr) : std::move(names)},
                        {"Layers", std::move(layers)}});
    }
    return list.dump();
}

std::string encode_repositories(std::span<SavedBlobs const> images) {
    json repositories = json::object();
    for (auto const& image : images) {
        for (auto const& name : image.names) {
            auto const reference = Reference::parse(name);
            if (reference.has_value() && reference->tag.has_value() && !image.layers.empty()) {
                repositories[reference->familiar_repository()][*reference->tag] =
                    image.layers.back().hex();
            }
        }
    }
    return repositories.dump();
}

}  // namespace oblea::tools
