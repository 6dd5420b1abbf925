// SPDX-License-Identifier: MIT
// An image by what a user types for it, open for reading and held against gc.
#pragma once
#include "store/image/image_view.h"
#include "store/store.h"

#include <memory>
#include <string>

namespace oblea::tools {

struct OpenImage {
    store::Lease lease;
    store::Image image;
    std::shared_ptr<store::ImageView const> view;
};

// `purpose` is what the lease says. Errors: as Images::resolve and ImageView::open.
Result<OpenImage> open_image(store::Store const& store, std::string_view typed,
                             std::string_view purpose);

}  // namespace oblea::tools
