// SPDX-License-Identifier: MIT
// What was changed in a container, as `diff` lists it and as the steps of a layer.
//
// Only the writable layer is walked; the contents of folders that were brought from elsewhere in
// the image count as new.
#pragma once
#include "store/image/folder_tar.h"
#include "tools/container/container_view.h"

#include <string>
#include <vector>

namespace oblea::tools {

struct PathChange {
    enum class Kind : char { added = 'A', changed = 'C', deleted = 'D' };
    std::string path;  // "/etc/issue"
    Kind kind = Kind::changed;
    auto operator<=>(PathChange const&) const = default;
};

// Sorted by path. A folder is listed when its own attributes changed or something in it did; the
// root never is.
Result<std::vector<PathChange>> list_changes(ContainerView const& view);

// Empty when nothing was changed. Folders on the way to what was changed are members too, with
// their attributes. Owners of a container with squashed ids are those of the image, and root's for
// what is new.
Result<std::vector<store::TarStep>> plan_layer(ContainerView const& view);
store::FolderTarOptions layer_options(Container const& container,
                                      std::optional<std::int64_t> latest);

}  // namespace oblea::tools
