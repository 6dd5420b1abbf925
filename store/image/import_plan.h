// SPDX-License-Identifier: MIT
// What is to be imported: the images of an archive or a layout, with everything that is known of
// their layers, every document verified against the digest that it is named by.
#pragma once
#include "store/image/image_files.h"
#include "store/image/manifest.h"
#include "store/layer/import_layer.h"

#include <optional>
#include <string>
#include <vector>

namespace oblea::store {

struct PlannedLayer {
    std::string member;  // the file that holds it, links followed
    LayerClaims claims;  // the diff ID always
    Digest diff_id;
};

struct PlannedImage {
    Digest id;
    std::string config_bytes;
    ImageConfig config;
    std::optional<std::string> manifest_bytes;  // as it came
    std::vector<PlannedLayer> layers;           // bottom first
    std::vector<std::string> names;             // full and canonical
    std::vector<std::string> warnings;
    std::optional<Digest> parent = {};  // the image that it was made from
};

struct ImportSelection {
    std::optional<std::string> selected;  // of ImportSource
    std::optional<Platform> platform;     // asked for; else the machine's
    std::string repository;               // for images that are known by a tag only
};

// What a layout calls an image: the full name where it has one, else ref.name; may be empty.
[[nodiscard]] std::string layout_name(Descriptor const& entry);

// Whether that is what is wanted, however much of the name is said.
[[nodiscard]] bool is_called(Descriptor const& entry, std::string const& wanted);

enum class ImageFormat { oci, docker };

// Which of both the files are; nullopt for neither.
Result<std::optional<ImageFormat>> detect_format(ImageFiles const& files);

// Images that are there under several names are joined. Errors, naming the file: ENOENT for a
// missing member, reference or platform; EBADMSG for a digest, size or count that does not hold; as
// manifest.h.
Result<std::vector<PlannedImage>> plan_images(ImageFiles const& files, ImageFormat format,
                                              ImportSelection const& selection);

}  // namespace oblea::store
