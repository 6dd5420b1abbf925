// SPDX-License-Identifier: MIT
// What images and layers hold on to, as gc marks it.
#pragma once
#include "store/gc.h"
#include "store/gc_plan.h"

#include <span>
#include <vector>

namespace oblea::store {

// Layers, bottom first, and their merged tree.
void reach_chain(Reached& reached, std::span<Digest const> layers);

// All of the images but the objects of their layers; layers as they came only as `blobs` says.
void reach_images(Reached& reached, Images const& images, LayerBlobs blobs = LayerBlobs::keep);

// The objects that a layer names. Errors: those of its index, which is damaged or missing.
Result<std::vector<Digest>> objects_of_layer(int root, Digest const& layer);
Status reach_objects_of(int root, Digest const& layer, Reached& reached);

}  // namespace oblea::store
