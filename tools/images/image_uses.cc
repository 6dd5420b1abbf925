// SPDX-License-Identifier: MIT
#include "tools/images/image_uses.h"

#include "tools/mount/containers.h"
#include "tools/mount/mount_image.h"

#include <fmt/format.h>

namespace oblea::tools {

Result<std::vector<ImageUse>> image_uses(store::Store const& store) {
    std::vector<ImageUse> uses;
    auto const mounts = OBLEA_TRY(list_mounts(store));
    auto const containers = OBLEA_TRY(list_containers(store));
    uses.reserve(mounts.size() + containers.all.size());
    for (auto const& container : containers.all) {
        uses.push_back({.image = container.image,
                        .holder = "container " + container.name,
                        .release = "oblea rm " + container.name});
    }
    for (auto const& mount : mounts) {
        auto const image = store::Digest::parse(mount.image);
        if (image.has_value()) {
            uses.push_back({.image = *image,
                            .holder = "the mount at " + mount.mount_point,
                            .release = "oblea umount " + mount.mount_point});
        }
    }
    return uses;
}

}  // namespace oblea::tools
