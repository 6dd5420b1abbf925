// SPDX-License-Identifier: MIT
// An image as the lower tree of a union.
#pragma once
#include "fs/lower/lower_tree.h"
#include "store/image/image_view.h"

namespace oblea::fs {

// Keeps the view for as long as it lives.
[[nodiscard]] std::shared_ptr<LowerTree const>
image_lower(std::shared_ptr<store::ImageView const> image);

}  // namespace oblea::fs
