// SPDX-License-Identifier: MIT
// What an image has where a volume is shown becomes the beginning of an empty volume, as docker has
// it.
#pragma once
#include "store/base/unique_fd.h"
#include "store/store.h"
#include "tools/container/run_config.h"
#include "tools/mount/containers.h"

namespace oblea::tools {

struct ContainerTree {
    base::UniqueFd const& root;  // in whose namespaces this process is
    OwnerIds ids;                // that it shows
    // Only before a container runs first does it fill: what it empties then stays empty.
    enum class Use { first, again } use = Use::first;
};

// Nothing happens to volumes that have something in them, nor where the image has no folder. Others
// who fill the same volume are waited for. No container begins with a part of it: what a crash has
// left is brought to its end, or begun anew, by the next call (DURABILITY.md "Volumes"). Errors:
// ENOENT naming a volume that is gone; as the system calls.
Status fill_volumes(store::Store const& store, RunConfig const& config, ContainerTree const& tree);

}  // namespace oblea::tools
