// SPDX-License-Identifier: MIT
// The last step of an import: blobs, merged index, images.json.
#pragma once
#include "store/image/import_image.h"
#include "store/image/layer_importer.h"

namespace oblea::store {

// When the merged tree of an image is made: a cache, which the first mount makes otherwise.
enum class MergeTree { now, at_first_use };

// Verifies the outcomes against the plan, and publishes all images in one change of images.json,
// when everything of them is durable. Errors: EBADMSG, EINVAL as verify_outcomes; as merge().
Result<std::vector<ImportedImage>> publish_images(Store const& store,
                                                  std::vector<PlannedImage> const& images,
                                                  LayerOutcomes const& outcomes,
                                                  std::string const& origin,
                                                  MergeTree merge = MergeTree::now);

}  // namespace oblea::store
