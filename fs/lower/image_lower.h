// SPDX-License-Identifier: MIT
// An image as the lower tree of a union.
#pragma once
#include "fs/lower/lower_tree.h"
#include "store/image/image_view.h"
#include "store/index/index.h"

namespace oblea::fs {

// Keeps the view for as long as it lives.
[[nodiscard]] std::shared_ptr<LowerTree const>
image_lower(std::shared_ptr<store::ImageView const> image);

// The names and attributes of an image without its contents, which are an error to read.
[[nodiscard]] std::shared_ptr<LowerTree const> names_of_image(store::Index tree);

}  // namespace oblea::fs
