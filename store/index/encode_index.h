// SPDX-License-Identifier: MIT
// Writes a finished tree as the bytes of an index (FORMAT.md "Index"). Pure and deterministic: the
// bytes depend on the tree, not on how it came to be.
#pragma once
#include "store/index/tree_draft.h"

namespace oblea::store {

// What a hard link names whose target was not there when it was made: an inode of the tree, or a
// path of the lower layers.
struct LinkEnd {
    TreeDraft::InodeId inode = TreeDraft::InodeId::none;
    std::uint32_t external_target = TreeDraft::kNone;  // of add_link_target, when inode is none
    auto operator<=>(LinkEnd const&) const = default;
};
using LinkEnds = std::unordered_map<TreeDraft::EntryId, LinkEnd>;

struct IndexPlan {
    IndexKind kind = IndexKind::layer;
    std::vector<Digest> layers;
    std::vector<Digest> objects;  // listed beside those that contents refer to; any order
    LinkEnds link_ends;           // of every external link of the draft
};

// Errors: EOVERFLOW when a table would pass its 32-bit limits.
Result<base::Bytes> encode_index(TreeDraft const& tree, IndexPlan plan);

}  // namespace oblea::store
