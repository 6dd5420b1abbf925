// SPDX-License-Identifier: MIT
// Stacks the indexes of layers into the one tree that a reader of the image sees.
//
// Input is bottom first. An entry hides the same name below, but a folder over a folder joins it:
// attributes and xattrs of the upper one (unless it is implicit), contents of both; a whiteout
// hides without showing; an opaque folder hides all that the lower layers have inside. External
// hard links are resolved against the layers below them. Link counts are those of the names that
// remain visible. No layers at all give an empty root folder. Whoever publishes the result runs
// Index::check() on it. Pure and deterministic: the same layers give the same bytes on every
// machine, for ever (kMergeVersion is part of the format). Spec: OCI image-spec layer.md "Applying
// Changesets"; FORMAT.md "Merged index".
#pragma once
#include "store/index/index.h"

namespace oblea::store {

// Errors: EINVAL when an external link's target is missing or a folder, naming layer and path;
// EUCLEAN when an input is damaged; E2BIG past limits::kLayersMax; EOVERFLOW when a table would
// pass its 32-bit limits.
Result<base::Bytes> merge(std::span<Index const* const> layers_bottom_first);

// ChainID of image-spec config.md "Layer ChainID" over diff IDs, bottom first; at least one.
[[nodiscard]] Digest chain_id(std::span<Digest const> diff_ids);

}  // namespace oblea::store
