// SPDX-License-Identifier: MIT
// A process that does nothing but wait for its monitor's death, and ends the container then.
#pragma once
#include "store/base/error.h"
#include "store/base/unique_fd.h"

#include <sys/types.h>

#include <string>

namespace oblea::tools {

// Forks. It is there before the runtime makes the container, so that a monitor which is killed
// meanwhile leaves nothing either. Destroyed in order, it leaves the container alone.
class Guard {
public:
    static Result<Guard> start(std::string const& container_id);
    Guard(Guard&& other) noexcept : monitor_(std::move(other.monitor_)) {}
    Guard& operator=(Guard&&) = delete;
    Guard(Guard const&) = delete;
    Guard& operator=(Guard const&) = delete;
    ~Guard();

    // A child of the caller that ends when the caller dies: the container's first process, then
    // those that serve it. Errors: EIO when the guard is gone.
    Status watch(pid_t process);

private:
    explicit Guard(base::UniqueFd monitor) : monitor_(std::move(monitor)) {}
    base::UniqueFd monitor_;  // closed by the kernel when the monitor dies
};

}  // namespace oblea::tools
