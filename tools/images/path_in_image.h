// SPDX-License-Identifier: MIT
// Paths inside an image as a process in it would follow them. Pure.
#pragma once
#include "store/index/index.h"

#include <optional>
#include <string>
#include <string_view>

namespace oblea::tools {

// The inode at `path`, following symbolic links, with the image's root as the root; nullopt when
// there is none. Errors: ELOOP past 40 links; EUCLEAN as Index.
Result<std::optional<store::InodeNo>> follow_path(store::Index const& tree, std::string_view path);

// "drwxr-xr-x", as ls -l shows type and mode.
[[nodiscard]] std::string mode_text(store::InodeAttr const& attr);

}  // namespace oblea::tools
