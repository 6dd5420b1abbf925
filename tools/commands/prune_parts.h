// SPDX-License-Identifier: MIT
// What `container prune`, `volume prune`, `image prune` and `system prune` have in common: they
// remove, print what they removed as docker does, and leave question and total to the command.
#pragma once
#include "store/store.h"
#include "tools/cli/context.h"
#include "tools/cli/filters.h"

#include <cstdint>
#include <string>
#include <vector>

namespace oblea::tools {

struct Pruned {
    std::uint64_t bytes = 0;
    int status = 0;  // of the command; what could not be removed has been told
};

// Containers that neither run nor are mounted. Filters: label, label!, until. Errors: EINVAL for
// others.
Result<Pruned> prune_containers(Context const& context, store::Store const& store,
                                std::vector<std::string> const& filters);

enum class PruneWhich { nameless, all_unused };
// Images, and what nothing needs any more in the store. Filters: also dangling.
Result<Pruned> prune_images(Context const& context, store::Store const& store,
                            std::vector<std::string> const& filters, PruneWhich which);

enum class PruneVolumes { unnamed, all_unused };
// Volumes that no container uses. Filters: label, label!.
Result<Pruned> prune_volumes(Context const& context, store::Store const& store,
                             Filters const& filters, PruneVolumes which);

// The last line of all of them.
void print_reclaimed(Context const& context, std::uint64_t bytes);

}  // namespace oblea::tools
