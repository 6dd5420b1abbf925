// SPDX-License-Identifier: MIT
// Writes the contents of an image's file into a new one on disk, holes as holes.
#pragma once
#include "store/image/image_view.h"

namespace oblea::tools {

// `target` is an empty file, open for writing; it gets `size` bytes. Within one file system that
// can share blocks, nothing is copied. Errors: as ImageView::read; EUCLEAN when the contents end
// early.
Status write_content(store::ImageView const& image, store::InodeNo file, std::uint64_t size,
                     int target);

}  // namespace oblea::tools
