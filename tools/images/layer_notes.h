// SPDX-License-Identifier: MIT
// The layers of an image with the step of its history that made each.
#pragma once
#include "store/index/index.h"
#include "store/store.h"

#include <string>
#include <vector>

namespace oblea::tools {

struct LayerNote {
    store::Digest diff_id;
    std::string created_by;  // empty where the history does not say
};

struct OpenLayers {
    std::vector<store::Index> indexes;  // bottom first
    std::vector<LayerNote> notes;
};

// The caller holds a lease. Errors: a missing layer or config; those of Index::open.
Result<OpenLayers> open_layers(store::Store const& store, store::Image const& image);

}  // namespace oblea::tools
