// SPDX-License-Identifier: MIT
// What builds leave behind that were killed together with the processes that tidy up after them, or
// lost their power: containers of steps. Each names the lease of its build; a lease that nobody
// holds any more was a build that is gone.
#pragma once
#include "store/store.h"

namespace oblea::tools::build {

// Removes them, as far as nothing has them mounted; how many.
Result<std::size_t> remove_leftovers(store::Store const& store);

// Waits until the containers of a build whose steps were ended are gone, as their monitors remove
// them, and removes the rest; for a limited time.
void settle_steps(store::Store const& store, store::Lease const& lease);

}  // namespace oblea::tools::build
