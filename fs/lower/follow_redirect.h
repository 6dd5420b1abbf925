// SPDX-License-Identifier: MIT
// Where a redirect of overlayfs leads in a lower tree. Pure.
#pragma once
#include "fs/lower/lower_tree.h"

namespace oblea::fs {

// The lower folder that `redirect` names: a path from the root, or a new last component in `parent`
// (which may be none). nullopt when there is no such folder. Spec: overlayfs.rst "redirect_dir".
Result<std::optional<store::InodeNo>> follow_redirect(LowerTree const& lower, store::InodeNo parent,
                                                      std::string_view redirect);

}  // namespace oblea::fs
