// SPDX-License-Identifier: MIT
#include "store/gc_reach.h"

#include "store/base/sys.h"
#include "store/index/index.h"
#include "store/index/merge.h"
#include "store/layer/layout.h"

namespace oblea::store {

namespace sys = base::sys;
using base::UniqueFd;

void reach_chain(Reached& reached, std::span<Digest const> layers) {
    reached.layers.insert(layers.begin(), layers.end());
    if (!layers.empty()) {
        reached.merged.insert(chain_id(layers));
    }
}

void reach_images(Reached& reached, Images const& images, LayerBlobs blobs) {
    for (Image const& image : images.all()) {
        reached.blobs.insert(image.id);
        if (image.manifest.has_value()) {
            reached.blobs.insert(*image.manifest);
        }
        std::vector<Digest> chain;
        for (ImageLayer const& layer : image.layers) {
            if (blobs == LayerBlobs::keep) {
                reached.blobs.insert(layer.blob);
            }
            chain.push_back(layer.diff_id);
        }
        reach_chain(reached, chain);
    }
}

Result<std::vector<Digest>> objects_of_layer(int root, Digest const& layer) {
    UniqueFd file =
        OBLEA_TRY(sys::openat(root, layout::layer_index(layer).c_str(), O_RDONLY | O_NOFOLLOW));
    Index const index = OBLEA_TRY(Index::open(std::move(file), layout::layer_index(layer)));
    std::vector<Digest> objects;
    objects.reserve(index.object_count());
    for (std::uint32_t i = 0; i < index.object_count(); ++i) {
        objects.push_back(OBLEA_TRY(index.object(i)));
    }
    return objects;
}

Status reach_objects_of(int root, Digest const& layer, Reached& reached) {
    std::vector<Digest> const objects = OBLEA_TRY(objects_of_layer(root, layer));
    reached.objects.insert(objects.begin(), objects.end());
    return {};
}

}  // namespace oblea::store
