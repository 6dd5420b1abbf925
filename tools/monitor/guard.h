// SPDX-License-Identifier: MIT
// A process that does nothing but wait for its monitor's death, and ends the container then.
#pragma once
#include "store/base/error.h"
#include "store/base/unique_fd.h"

#include <sys/types.h>

namespace oblea::tools {

// Forks. Destroyed in order, it leaves the container alone.
class Guard {
public:
    static Result<Guard> start(pid_t init);
    Guard(Guard&& other) noexcept : alive_(std::move(other.alive_)) {}
    Guard& operator=(Guard&&) = delete;
    Guard(Guard const&) = delete;
    Guard& operator=(Guard const&) = delete;
    ~Guard();

private:
    explicit Guard(base::UniqueFd alive) : alive_(std::move(alive)) {}
    base::UniqueFd alive_;  // closed by the kernel when the monitor dies
};

}  // namespace oblea::tools
