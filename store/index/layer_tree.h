// SPDX-License-Identifier: MIT
// One layer's tree while its members arrive, and its index once they all have.
//
// Members may come in any order that tar files are seen to have; what extracting them one by one
// into an empty folder would give is what the tree holds, whiteouts and opaque marks kept beside
// it:
// - a missing parent becomes an implicit folder (0755, root, mtime 0) that takes the lower layer's
//   attributes at merge;
// - the last member of a name wins; a folder over a folder replaces attributes and keeps the
//   contents; anything else over a folder removes it with its contents;
// - a folder over anything else of the same layer replaces it and is opaque: what it replaced had
//   hidden the lower contents;
// - a whiteout never hides what its own layer has, before or after it; a folder that the layer both
//   whites out and makes is opaque;
// - a hard link names an inode of this layer, made before or after it, else (external link) a path
//   that the lower layers must have at merge.
// Not thread-safe. Spec: OCI image-spec layer.md "Whiteouts", "Opaque Whiteout".
#pragma once
#include "store/base/bytes.h"
#include "store/index/types.h"

#include <memory>

namespace oblea::store {

class LayerTree {
public:
    LayerTree();
    ~LayerTree();
    LayerTree(LayerTree&&) noexcept;
    LayerTree& operator=(LayerTree&&) noexcept;

    // Errors, each naming the path: EINVAL for a whiteout of the root, a root that is no folder, a
    // hard link to itself or to a folder, a path that leads through what is no folder of the same
    // layer at that time (a symbolic link above all), attributes, xattrs or content out of bounds;
    // E2BIG past kLayerEntriesMax or kPathDepthMax. After an error the tree is of no more use.
    //
    // Of `attr`, nlink is not looked at, nor is the size of anything but a regular file. Content
    // without bytes in a blob has kind none; with bytes, blob_bytes is not 0.
    Status add(LayerEntry entry);

    // The sum of the sizes of all regular files that are in the tree now, each inode once.
    [[nodiscard]] std::uint64_t content_bytes() const;

    // The bytes of the layer's index (FORMAT.md), the same for the same tree however its members
    // were ordered. `objects` (every large content the layer refers to, also those that no entry
    // names any longer) is kept with it for gc. Errors: EINVAL for a hard link whose target turned
    // out to be a folder, to lie below what is no folder, or to lead back to the link; EOVERFLOW
    // when a table would pass its 32-bit limits.
    Result<base::Bytes> finish(Digest const& diff_id, std::vector<Digest> objects) const;

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace oblea::store
