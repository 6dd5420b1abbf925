// SPDX-License-Identifier: MIT
// The last steps of an import: everything of the images durable and in its place, then the list.
#pragma once
#include "store/image/import_image.h"
#include "store/image/layer_importer.h"

namespace oblea::store {

// When the merged tree of an image is made: a cache, which the first mount makes otherwise.
enum class MergeTree { now, at_first_use };

// Verifies the outcomes against the plan, and publishes what `layers` has imported together with
// the images' documents and merged trees. Errors: EBADMSG, EINVAL as verify_outcomes; as merge().
Status publish_parts(Store const& store, LayerImporter const& layers,
                     std::vector<PlannedImage> const& images, LayerOutcomes const& outcomes,
                     MergeTree merge = MergeTree::now);

// Names all images, whose parts are published, in one change of images.json. Errors: ESTALE when a
// layer was removed meanwhile.
Result<std::vector<ImportedImage>> list_images(Store const& store,
                                               std::vector<PlannedImage> const& images,
                                               LayerOutcomes const& outcomes,
                                               std::string const& origin);

// Both, one after the other.
Result<std::vector<ImportedImage>> publish_images(Store const& store, LayerImporter const& layers,
                                                  std::vector<PlannedImage> const& images,
                                                  LayerOutcomes const& outcomes,
                                                  std::string const& origin,
                                                  MergeTree merge = MergeTree::now);

}  // namespace oblea::store
