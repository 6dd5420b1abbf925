// SPDX-License-Identifier: MIT
// The merged index of a chain of layers, from merged/ or built anew.
//
// merged/ is a cache: what is missing, damaged or of another version is built again and replaced,
// in the own store. Its structure is proven before it is published.
#pragma once
#include "store/index/index.h"
#include "store/layer/roots.h"
#include "store/layer/staging.h"

#include <span>

namespace oblea::store {

// Bottom first; of no layers at all it is an empty root folder, which is not cached. Where the disk
// is full or read-only the index is built in memory. Errors: ENOENT naming a missing layer; EUCLEAN
// naming a damaged one; as merge().
Result<Index> open_merged_index(Roots const& roots, std::span<Digest const> diff_ids);

// For who judges the store: built anew from the layers, in memory, and not published.
Result<Index> build_merged_index(Roots const& roots, std::span<Digest const> diff_ids);

// As the first for layers of which some are still in `staging`, into which it goes, unless it is
// cached already. Where there is no room for it the first mount makes it.
Status stage_merged_index(ImportStaging& staging, Roots const& roots,
                          std::span<Digest const> diff_ids);

}  // namespace oblea::store
