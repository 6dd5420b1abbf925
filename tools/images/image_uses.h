// SPDX-License-Identifier: MIT
// Who needs which image: the containers and mounts of a store.
#pragma once
#include "store/store.h"
#include "tools/images/remove_plan.h"

namespace oblea::tools {

// Containers first. What is damaged and cannot be read is left out.
Result<std::vector<ImageUse>> image_uses(store::Store const& store);

}  // namespace oblea::tools
