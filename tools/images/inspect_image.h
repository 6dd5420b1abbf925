// SPDX-License-Identifier: MIT
// What `oblea inspect` shows of an image, in docker's shape.
#pragma once
#include "store/store.h"

#include <nlohmann/json.hpp>

namespace oblea::tools {

// Spec: docker's image inspect object. Errors: those of reading config and manifest.
Result<nlohmann::ordered_json> describe_image(store::Store const& store, store::Image const& image);

}  // namespace oblea::tools
