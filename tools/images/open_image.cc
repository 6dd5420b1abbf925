// SPDX-License-Identifier: MIT
#include "tools/images/open_image.h"

namespace oblea::tools {

Result<OpenImage> open_image(store::Store const& store, std::string_view typed,
                             std::string_view purpose) {
    // The lease comes before the name is looked up: what it finds stays.
    auto lease = OBLEA_TRY(store.take_lease(purpose));
    auto const images = OBLEA_TRY(store.images());
    store::Image image = *OBLEA_TRY(images.resolve(typed));
    auto view = OBLEA_TRY(store::ImageView::open(store, image));
    return OpenImage{.lease = std::move(lease), .image = std::move(image), .view = std::move(view)};
}

}  // namespace oblea::tools
