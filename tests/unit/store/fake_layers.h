// SPDX-License-Identifier: MIT
// Layers and objects put into a store by hand, so that what stands on them can be tested alone.
#pragma once
#include "store/base/sys.h"
#include "store/layer/layout.h"
#include "store/store.h"
#include "tests/support/tree_builder.h"

namespace oblea::test {

inline void put_file(store::Store const& store, std::string const& path, std::string_view text) {
    value_of(base::sys::replace_file(store.root(), path.c_str(), text, 0600, base::sys::Sync::no));
}

inline store::Digest put_object(store::Store const& store, std::string_view text) {
    store::Digest const digest = base::sha256(text);
    std::string const path = store::layout::object(digest);
    value_of(
        base::sys::mkdirat_if_missing(store.root(), path.substr(0, path.rfind('/')).c_str(), 0700));
    put_file(store, path, text);
    return digest;
}

// A layer called `name`, with the pack that its entries' offsets refer to.
inline store::Digest put_layer(store::Store const& store, std::string_view name,
                               std::vector<LayerEntry> entries, std::string_view pack) {
    store::LayerTree tree;
    std::vector<store::Digest> objects;
    for (LayerEntry& entry : entries) {
        if (entry.content.kind == store::ContentKind::object) {
            objects.push_back(entry.content.object);
        }
        value_of(tree.add(std::move(entry)));
    }
    store::Digest const id = diff_id(name);
    base::Bytes const index = value_of(tree.finish(id, objects));
    value_of(base::sys::mkdirat_if_missing(store.root(), store::layout::layer(id).c_str(), 0700));
    put_file(store, store::layout::layer_index(id), base::text_of(index));
    put_file(store, store::layout::layer_pack(id), pack);
    put_file(store, store::layout::layer_recipe(id), "");
    return id;
}

// A file whose bytes are at an offset of the pack.
inline LayerEntry packed_file(std::string_view at, std::uint64_t offset, std::string_view text) {
    LayerEntry entry = file(at, text);
    entry.content.pack_offset = offset;
    return entry;
}

inline store::Image image_of(std::string_view name, std::vector<store::Digest> const& layers) {
    store::Image image;
    image.id = base::sha256(std::string{"image "} + std::string{name});
    image.names = {"docker.io/library/" + std::string{name} + ":latest"};
    for (store::Digest const& layer : layers) {
        image.layers.push_back({layer, layer, 0, "application/vnd.oci.image.layer.v1.tar"});
    }
    return image;
}

inline void put_image(store::Store const& store, store::Image const& image) {
    value_of(store.change_images([&](store::Images& images) -> Status {
        images.put(image);
        return {};
    }));
}

inline void remove_image(store::Store const& store, store::Image const& image) {
    value_of(store.change_images([&](store::Images& images) -> Status {
        static_cast<void>(images.remove(image.id));
        return {};
    }));
}

}  // namespace oblea::test
