// SPDX-License-Identifier: MIT
// The index of one published layer.
#pragma once
#include "store/index/index.h"
#include "store/layer/roots.h"

namespace oblea::store {

// Errors: ENOENT naming a layer that is not in the store; those of Index::open.
Result<Index> open_layer_index(Roots const& roots, Digest const& layer);

}  // namespace oblea::store
