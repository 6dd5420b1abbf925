// SPDX-License-Identifier: MIT
#include "tools/images/image_uses.h"

#include "tools/container/container_state.h"
#include "tools/mount/containers.h"
#include "tools/mount/mount_image.h"

#include <algorithm>

namespace oblea::tools {

Result<std::vector<ImageUse>> image_uses(store::Store const& store) {
    std::vector<ImageUse> uses;
    auto const mounts = OBLEA_TRY(list_mounts(store));
    auto const containers = OBLEA_TRY(list_containers(store));
    uses.reserve(mounts.size() + containers.all.size());
    for (auto const& container : containers.all) {
        bool const shown = std::ranges::any_of(
            mounts, [&](MountInfo const& mount) { return mount.container_id == container.id; });
        auto const state = observe_state(store, container);
        bool const mounted = shown || (state.has_value() && state->is_active());
        uses.push_back({.image = container.image,
                        .holder = "container " + container.name,
                        .release = (mounted ? "oblea rm -f " : "oblea rm ") + container.name,
                        .state = mounted ? ImageUse::State::running : ImageUse::State::stopped});
    }
    for (auto const& mount : mounts) {
        auto const image = store::Digest::parse(mount.image);
        if (image.has_value()) {
            uses.push_back({.image = *image,
                            .holder = "the mount at " + mount.mount_point,
                            .release = "oblea umount " + mount.mount_point,
                            .state = ImageUse::State::running});
        }
    }
    return uses;
}

}  // namespace oblea::tools
