// SPDX-License-Identifier: MIT
// What each layer of an image says of one path: who made it, who hid what. Pure.
#pragma once
#include "store/index/index.h"

#include <optional>
#include <span>
#include <string>
#include <vector>

namespace oblea::tools {

struct Sighting {
    std::size_t layer = 0;  // 0 is the bottom
    // A layer that has the path, or one that hides what lower layers have there: by a whiteout of
    // it or of a folder above, by an opaque folder, by something else in a folder's place.
    enum class Kind { entry, hides } kind = Kind::entry;
    std::optional<store::InodeAttr> attr;  // of an entry; none for a hard link to a lower layer
};

// Top layer first; layers that say nothing are left out, and so is one that would hide what is not
// there. Errors: EUCLEAN as Index.
Result<std::vector<Sighting>> trace_path(std::span<store::Index const> layers,
                                         std::span<std::string const> names);

}  // namespace oblea::tools
