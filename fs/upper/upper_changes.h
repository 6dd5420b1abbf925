// SPDX-License-Identifier: MIT
// What an upper layer changes of the tree below it, told by its folders and marks alone.
//
// Reads the upper's folders, and nothing of the lower tree but the names beside theirs: time and
// memory follow what was changed, not the size of the image. The contents and attributes of what is
// named here are for a mount of the same layer to tell, where they are shown as they count.
// Spec: Linux overlayfs.rst "whiteouts and opaque directories", "redirect_dir"; marks.h.
#pragma once
#include "fs/lower/lower_tree.h"
#include "fs/upper/marks.h"

#include <optional>
#include <vector>

namespace oblea::fs {

struct UpperChange {
    enum class Kind {
        on_the_way,  // a folder of the image at its own place: what is in it follows, as far as it
                     // changed; its attributes may differ
        file,        // anything but a folder
        tree,        // a folder that shows nothing of what the image has at this path: new, or
                     // brought here from elsewhere; everything in it is new here
        gone,        // what the image has at this path is hidden
    };
    store::RelPath path;  // the root first, as on_the_way
    Kind kind = Kind::file;
    // What the image has at this path.
    store::InodeNo below = store::InodeNo::none;
    store::FileType below_type = store::FileType::regular;

    [[nodiscard]] bool is_in_image() const { return below != store::InodeNo::none; }
    [[nodiscard]] bool hides_folder() const {
        return kind == Kind::tree && is_in_image() && below_type == store::FileType::directory;
    }
};

// Which marks count in an upper that was written by a process of these rights: asked of the file
// system by a file without a name in `work`, the layer's work folder.
Result<MarkSpace> mark_space_of(int work);

// The same of a layer that may not be touched: as its root is marked, if it is.
Result<std::optional<MarkSpace>> mark_space_seen(int upper);

// In the order of a walk: a folder before what is in it, names bytewise. `upper` is the layer's
// root, open for reading; it may be in use by a mount: what goes meanwhile is passed over. Errors:
// EUCLEAN for damaged marks; as LowerTree.
Result<std::vector<UpperChange>> walk_upper(int upper, MarkSpace space, LowerTree const& lower);

}  // namespace oblea::fs
