// SPDX-License-Identifier: MIT
// Work on many things at once, in the pool of threads that --jobs bounds
// (tools/cli/run_program).
#pragma once
#include <cstddef>
#include <functional>

namespace oblea::store {

// Calls `work` once with each number below `count`, from any of the threads. Returns when all are
// done.
void for_each_position(std::size_t count, std::function<void(std::size_t)> const& work);

}  // namespace oblea::store
