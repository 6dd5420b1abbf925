// SPDX-License-Identifier: MIT
// Looks at the containers of a store, and says what is damaged in their records and in what was
// written to them.
//
// The other half of store::verify_store(), which knows nothing of file systems. Reads only, beside
// everything else; a layer that is mounted meanwhile is looked at as far as that makes sense
// (fs/upper/check_upper.h). Contents that a container wrote have no digest to be held against.
#pragma once
#include "store/verify.h"
#include "tools/mount/containers.h"

#include <atomic>
#include <string>
#include <vector>

namespace oblea::tools {

struct ContainersCheck {
    std::vector<store::Fault> faults;  // sorted by path
    std::vector<std::string> in_use;   // names of containers that were mounted
};

// Forks, so that it sees files of subordinate ids: for a process of one thread. Errors: ECANCELED
// once `cancel` is set; those of reading the list of containers.
Result<ContainersCheck> check_containers(store::Store const& store,
                                         std::atomic<bool> const* cancel);

}  // namespace oblea::tools
