// SPDX-License-Identifier: MIT
#include "store/image/layer_index.h"

#include "store/layer/layout.h"

#include <fmt/format.h>

namespace oblea::store {

Result<Index> open_layer_index(Roots const& roots, Digest const& layer) {
    std::string const path = layout::layer_index(layer);
    auto part = OBLEA_TRY(roots.open_if_exists(path));
    if (!part.has_value()) {
        return fail(Errno::enoent, "",
                    fmt::format("layer {} is missing from {}", layer.to_string(), roots.names()));
    }
    return Index::open(std::move(part->file), path);
}

}  // namespace oblea::store
