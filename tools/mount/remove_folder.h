// SPDX-License-Identifier: MIT
// Removing folders of a store that containers wrote to.
#pragma once
#include "store/store.h"

#include <string>

namespace oblea::tools {

// Removes a folder, relative to the store's root, with everything in it. Files of subordinate ids
// are removed in a user namespace where that is needed, by a child.
Status remove_folder(store::Store const& store, std::string const& path);

}  // namespace oblea::tools
