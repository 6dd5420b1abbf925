// SPDX-License-Identifier: MIT
// The rows of `volume ls`, and what `volume inspect` tells.
//
// Spec: docker's `volume ls`, `volume inspect`.
#pragma once
#include "store/store.h"
#include "tools/cli/filters.h"
#include "tools/container/container_volumes.h"
#include "tools/mount/volumes.h"

#include <nlohmann/json.hpp>

#include <span>
#include <string>
#include <vector>

namespace oblea::tools {

// What ls prints; `format` as --format, empty: docker's table. Errors: of the format, in docker's
// words.
Result<std::string> render_volumes(store::Store const& store, std::span<Volume const> volumes,
                                   std::string const& format);

// Of ls --filter: dangling, driver, label, name. Different keys must all hold, of several values of
// one key any one (of labels all). `uses` counts for dangling alone. Errors: EINVAL for a value
// that is none.
Result<std::vector<Volume>> filter_volumes(std::vector<Volume> volumes, Filters const& filters,
                                           VolumeUses const& uses);

// In docker's shape.
nlohmann::ordered_json describe_volume(store::Store const& store, Volume const& volume);

}  // namespace oblea::tools
