// SPDX-License-Identifier: MIT
#include "store/parallel.h"

#include <oneapi/tbb/global_control.h>
#include <oneapi/tbb/parallel_for.h>
#include <oneapi/tbb/task_arena.h>

namespace oblea::store {

void for_each_position(std::size_t count, std::function<void(std::size_t)> const& work) {
    // An arena of that size, since oneTBB's own begins with a thread more even where it may have
    // one only.
    using Control = tbb::global_control;
    tbb::task_arena arena{
        static_cast<int>(Control::active_value(Control::max_allowed_parallelism))};
    arena.execute([&] { tbb::parallel_for(std::size_t{0}, count, work); });
}

}  // namespace oblea::store
