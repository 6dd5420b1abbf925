// SPDX-License-Identifier: MIT
// Containers and the volumes that they use.
#pragma once
#include "store/store.h"
#include "tools/container/run_config.h"
#include "tools/mount/containers.h"
#include "tools/mount/volumes.h"

#include <map>
#include <string>
#include <vector>

namespace oblea::tools {

// For volumes that nobody named: names, which nobody else has.
Status name_volumes(RunConfig& config);

// What is to be there for it.
std::vector<NewVolume> volumes_wanted(RunConfig const& config);

// The volumes' folders, as the runtime is to bind them. Errors: ENOENT naming one that is gone.
Result<std::vector<BindMount>> volume_binds(store::Store const& store, RunConfig const& config);

// The containers that use each volume, by its name. Errors: EUCLEAN while there is a damaged
// container, of which nobody knows what it uses.
using VolumeUses = std::map<std::string, std::vector<Container>>;
Result<VolumeUses> volume_uses(store::Store const& store);

// Makes one under a name that may be taken: then it is that one. Errors: as make_volume().
Status create_volume(store::Store const& store, NewVolume const& what);

// Removes one that no container uses. Errors: ENOENT; EBUSY naming the containers.
Status remove_unused_volume(store::Store const& store, std::string const& name);

// Of a container that is removed: those that nobody named and nobody else uses. One that cannot be
// removed stays, for `volume prune`.
void remove_unnamed_volumes(store::Store const& store, RunConfig const& config);

}  // namespace oblea::tools
