// SPDX-License-Identifier: MIT
#include "store/disk_use.h"

#include "store/base/sys.h"
#include "store/gc.h"
#include "store/gc_reach.h"
#include "store/index/merge.h"
#include "store/inventory.h"
#include "store/layer/layout.h"

#include <algorithm>
#include <set>
#include <unordered_map>
#include <unordered_set>

namespace oblea::store {

namespace {

// Objects of a layer; none where the layer is damaged, which verify tells.
std::vector<Digest> objects_of(int root, Digest const& layer) {
    auto objects = objects_of_layer(root, layer);
    return objects.has_value() ? *std::move(objects) : std::vector<Digest>{};
}

// Images that need a thing: none, one, or more. By path, since a layer and a blob may have one
// digest.
struct Need {
    std::size_t image = 0;  // one of them
    std::size_t count = 0;
};
using Needs = std::unordered_map<std::string, Need>;
using Sizes = std::unordered_map<std::string, std::uint64_t>;  // by path

std::uint64_t size_of(Sizes const& sizes, std::string const& path) {
    auto const size = sizes.find(path);
    return size == sizes.end() ? 0 : size->second;
}

void count_what_is_there_once(int root, Images const& images, Sizes const& sizes, DiskUse& use) {
    std::unordered_map<Digest, std::size_t> layers;  // by how many images
    for (Image const& image : images.all()) {
        std::unordered_set<Digest> own;
        for (ImageLayer const& layer : image.layers) {
            layers[layer.diff_id] += own.insert(layer.diff_id).second ? 1U : 0U;
        }
    }
    std::unordered_set<Digest> objects;
    for (auto const& [layer, users] : layers) {
        std::uint64_t const files = size_of(sizes, layout::layer(layer));
        std::uint64_t whole = files;
        for (Digest const& object : objects_of(root, layer)) {
            std::uint64_t const bytes = size_of(sizes, layout::object(object));
            whole += bytes;
            (objects.insert(object).second ? use.objects.bytes : use.objects.saved_bytes) += bytes;
        }
        use.layers.bytes += files;
        use.layers.saved_bytes += whole * (users - 1);
    }
    use.layers.count = layers.size();
    use.objects.count = objects.size();
}

}  // namespace

std::vector<std::string> paths_of_image(int root, Image const& image) {
    std::set<std::string> paths{layout::blob(image.id)};
    if (image.manifest.has_value()) {
        paths.insert(layout::blob(*image.manifest));
    }
    std::vector<Digest> chain;
    for (ImageLayer const& layer : image.layers) {
        chain.push_back(layer.diff_id);
        paths.insert(layout::blob(layer.blob));
        if (paths.insert(layout::layer(layer.diff_id)).second) {
            for (Digest const& object : objects_of(root, layer.diff_id)) {
                paths.insert(layout::object(object));
            }
        }
    }
    if (!chain.empty()) {
        paths.insert(layout::merged(chain_id(chain)));
    }
    return {paths.begin(), paths.end()};
}

Result<DiskUse> measure_disk_use(Store const& store) {
    int const root = store.root();
    DiskUse use;
    use.total_bytes = OBLEA_TRY(tree_bytes(root, "."));  // before there are threads
    GcReport const garbage = OBLEA_TRY(collect_garbage(store, GcMode::dry_run));
    Images const images = OBLEA_TRY(store.own_images());
    Inventory const inventory = OBLEA_TRY(take_inventory(root));
    Needs needs;
    std::vector<std::vector<std::string>> paths;
    for (Image const& image : images.all()) {
        paths.push_back(paths_of_image(root, image));
        for (std::string const& path : paths.back()) {
            Need& need = needs[path];
            need.image = use.images.size();
            ++need.count;
        }
        use.images.push_back({.id = image.id, .names = image.names});
        use.referenced_bytes += image.size_bytes;
    }
    std::unordered_set<std::string> doomed;
    for (Garbage const& thing : garbage.removed) {
        doomed.insert(thing.path);
    }
    Sizes sizes;
    std::uint64_t accounted = 0;
    for (StoreItem const& item : inventory.items) {
        std::uint64_t const bytes = item.item.bytes;
        accounted += bytes;
        sizes.emplace(item.item.path, bytes);
        auto const need = needs.find(item.item.path);
        if (need == needs.end()) {
            (doomed.contains(item.item.path) ? use.garbage_bytes : use.held_bytes) += bytes;
        } else if (need->second.count == 1) {
            use.images[need->second.image].unique_bytes += bytes;
            use.unique_bytes += bytes;
        } else {
            use.shared_bytes += bytes;
        }
    }
    for (std::size_t i = 0; i < paths.size(); ++i) {
        for (std::string const& path : paths[i]) {
            use.images[i].shared_bytes += needs.at(path).count > 1 ? size_of(sizes, path) : 0;
        }
    }
    count_what_is_there_once(root, images, sizes, use);
    use.containers = inventory.containers.size();
    for (std::string const& id : inventory.containers) {
        use.container_bytes += OBLEA_TRY(tree_bytes(root, layout::container(id).c_str()));
    }
    for (std::string const& name : inventory.volumes) {
        auto const bytes = OBLEA_TRY(tree_bytes(root, layout::volume(name).c_str()));
        use.volumes.push_back({.name = name, .bytes = bytes});
        accounted += bytes;
    }
    accounted += use.container_bytes;
    use.own_bytes = use.total_bytes - std::min(use.total_bytes, accounted);
    return use;
}

}  // namespace oblea::store
