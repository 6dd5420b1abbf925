// SPDX-License-Identifier: MIT
// What the options of a stack of folders mean to the union.
#pragma once
#include "fs/union_fs.h"
#include "tools/overlay/overlay_options.h"

namespace oblea::tools {

// Whose redirects are believed depends on what this process may see.
fs::FolderLowerOptions lower_options(OverlayOptions const& options);
fs::UnionOptions union_options(OverlayOptions const& options);

}  // namespace oblea::tools
