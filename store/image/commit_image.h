// SPDX-License-Identifier: MIT
// The image that a container becomes: its image, one layer more, and what is said of it.
#pragma once
#include "store/image/import_plan.h"
#include "store/image/layer_importer.h"

#include <nlohmann/json_fwd.hpp>

namespace oblea::store {

struct CommitFacts {
    std::string created;     // RFC 3339
    std::string created_by;  // for the history: the container's command
    std::string author;      // may be empty, as may
    std::string comment;
};

// What the new image is made from. An image without layers and with an id of zeros alone is nothing
// at all ("scratch"): then the new image has no parent.
struct CommitParent {
    Image const& image;
    std::string_view config_bytes;
};

// `run_config` replaces the config's object "config". Without `layer` nothing was changed in the
// tree: the image has the layers of its parent, and an empty entry in the history. Pure: the same
// arguments give the same image, byte for byte. The layer's member is `member`. Errors: EINVAL for
// a parent's config that is none.
Result<PlannedImage> make_committed_image(CommitParent const& parent,
                                          nlohmann::json const& run_config,
                                          CommitFacts const& facts,
                                          std::optional<ImageLayer> const& layer,
                                          std::string const& member);

// An image that the store has, with a manifest made for it. Errors: EINVAL for a config that is
// none.
Result<PlannedImage> plan_with_manifest(Image const& image, std::string_view config_bytes);

// Publishes what `layers` has imported and images that were made so, in one change of images.json.
// Layers that are not in `outcomes` must be in the store. Errors: ENOENT for one that is not; as
// publish_images.
Status publish_committed(Store const& store, LayerImporter const& layers,
                         std::vector<PlannedImage> const& images, LayerOutcomes outcomes,
                         std::string const& origin);

}  // namespace oblea::store
