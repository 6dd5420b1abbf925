// SPDX-License-Identifier: MIT
// What `oblea inspect` shows of a container, in docker's shape.
#pragma once
#include "tools/mount/containers.h"

#include <nlohmann/json.hpp>

namespace oblea::tools {

// One that is mounted counts as running. Errors: those of listing mounts, and of damaged state.
Result<nlohmann::ordered_json> describe_container(store::Store const& store,
                                                  Container const& container);

}  // namespace oblea::tools
