// SPDX-License-Identifier: MIT
// What `oblea inspect` shows of a container, in docker's shape.
#pragma once
#include "tools/mount/containers.h"

#include <nlohmann/json.hpp>

namespace oblea::tools {

enum class ShowSize { no, yes };  // SizeRw and SizeRootFs: the writable layer is walked through

// One that is mounted counts as running. Errors: those of listing mounts, and of damaged state.
Result<nlohmann::ordered_json> describe_container(store::Store const& store,
                                                  Container const& container, ShowSize size);

}  // namespace oblea::tools
