// SPDX-License-Identifier: MIT
// Paths inside an image as a process in it would follow them. Pure.
#pragma once
#include "store/index/index.h"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace oblea::tools {

enum class LastLink { follow, stay };
struct ReachedPath {
    std::vector<std::string>
        names;  // from the root, without links; what is missing stands at the end
    std::optional<store::InodeNo> ino;  // nullopt: there is none
};
// Where `path` leads, following symbolic links with the image's root as the root. Errors: ELOOP
// past 40 links; EUCLEAN as Index.
Result<ReachedPath> walk_path(store::Index const& tree, std::string_view path, LastLink last);

// The inode at `path`, following symbolic links, with the image's root as the root; nullopt when
// there is none. Errors: ELOOP past 40 links; EUCLEAN as Index.
Result<std::optional<store::InodeNo>> follow_path(store::Index const& tree, std::string_view path);

// "drwxr-xr-x", as ls -l shows type and mode.
[[nodiscard]] std::string mode_text(store::InodeAttr const& attr);

}  // namespace oblea::tools
