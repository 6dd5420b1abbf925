// SPDX-License-Identifier: MIT
// Which images, under which names, `oblea save` writes. Pure.
//
// Spec: docker's `image save`: a repository stands for all its tags, an id for the image without
// names.
#pragma once
#include "store/image/images.h"

#include <span>
#include <string>
#include <vector>

namespace oblea::tools {

struct SavedImage {
    store::Image image;
    std::vector<std::string> names;  // canonical, with tags; empty for one that was named by id
};

// In the order in which they were asked for, each image once. Errors: those of Images::resolve.
Result<std::vector<SavedImage>> plan_save(store::Images const& images,
                                          std::span<std::string const> typed);

// Documents of the archive.
struct SavedBlobs {
    std::string manifest_type;
    store::Digest manifest;
    std::size_t manifest_bytes = 0;
    store::Digest config;
    std::vector<store::Digest> layers;  // bottom first
    std::vector<std::string> names;     // canonical
};

// index.json of the OCI layout; manifest.json and repositories of the docker archive.
[[nodiscard]] std::string encode_layout_index(std::span<SavedBlobs const> images);
[[nodiscard]] std::string encode_docker_manifest(std::span<SavedBlobs const> images);
[[nodiscard]] std::string encode_repositories(std::span<SavedBlobs const> images);

}  // namespace oblea::tools
