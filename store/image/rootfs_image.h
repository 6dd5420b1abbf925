// SPDX-License-Identifier: MIT
// The image that a bare root file system becomes: one layer, a config and a manifest of our own.
#pragma once
#include "store/image/import_plan.h"
#include "store/image/layer_importer.h"

#include <string>
#include <vector>

namespace oblea::store {

struct RootfsFacts {
    Platform platform;
    std::string created;     // RFC 3339
    std::string created_by;  // for the history
    std::string comment = {};
    std::string config = "{}";  // its object of that name
};

// Pure: the same layer and facts give the same image, byte for byte. The layer's member is
// `member`. Errors: EINVAL for a config that is no object.
Result<PlannedImage> make_rootfs_image(RootfsFacts const& facts, ImageLayer const& layer,
                                       std::string const& member);

}  // namespace oblea::store
