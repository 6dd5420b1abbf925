// SPDX-License-Identifier: MIT
#include "tools/images/layer_notes.h"

#include "store/image/layer_index.h"
#include "tools/images/image_config.h"

namespace oblea::tools {

Result<OpenLayers> open_layers(store::Store const& store, store::Image const& image) {
    auto const config = OBLEA_TRY(read_image_config(store, image));
    std::vector<std::string> steps;
    for (auto const& entry : config.history) {
        if (!entry.empty_layer) {
            steps.push_back(entry.created_by);
        }
    }
    OpenLayers layers;
    for (auto const& layer : image.layers) {
        layers.indexes.push_back(OBLEA_TRY(store::open_layer_index(store.roots(), layer.diff_id)));
        std::size_t const position = layers.notes.size();
        layers.notes.push_back({.diff_id = layer.diff_id,
                                .created_by = position < steps.size() ? steps[position] : ""});
    }
    return layers;
}

}  // namespace oblea::tools
