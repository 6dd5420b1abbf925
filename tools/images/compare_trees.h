// SPDX-License-Identifier: MIT
// What differs between the trees of two images.
#pragma once
#include "store/image/image_view.h"

#include <functional>
#include <string>

namespace oblea::tools {

struct TreeDifference {
    enum class Kind { added, changed, deleted } kind = Kind::changed;
    std::string path;  // "/etc/issue"
};

// Calls `found` for each difference, sorted by path. A folder that was added or deleted is told
// once, with all that is in it. Changed is what differs in type, mode, owner, size, contents,
// target, device or extended attributes; times do not count. Contents are read only where their
// checksums do not settle it. Errors: those of reading.
Status compare_trees(store::ImageView const& from, store::ImageView const& to,
                     std::function<void(TreeDifference const&)> const& found);

}  // namespace oblea::tools
