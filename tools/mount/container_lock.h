// SPDX-License-Identifier: MIT
// The lock of those who make and remove containers.
#pragma once
#include "store/base/unique_fd.h"
#include "store/store.h"

namespace oblea::tools {

// Names are unique: whoever makes or removes a container holds this.
Result<base::UniqueFd> lock_containers(store::Store const& store);

}  // namespace oblea::tools
