// SPDX-License-Identifier: MIT
// A running container that stands still, so that what is read of it is of one moment.
#pragma once
#include "store/base/error.h"

#include <sys/types.h>

#include <vector>

namespace oblea::tools {

// Stops every process of a PID namespace by a signal, since there may be no cgroup to freeze; they
// go on when this is destroyed.
class Frozen {
public:
    // `init` is the namespace's first process. The caller must be allowed to signal them all.
    // Errors: EPERM; EAGAIN when processes appear faster than they can be stopped.
    static Result<Frozen> freeze(pid_t init);
    Frozen(Frozen&& other) noexcept : stopped_(std::move(other.stopped_)) {
        other.stopped_.clear();
    }
    Frozen& operator=(Frozen&&) = delete;
    Frozen(Frozen const&) = delete;
    Frozen& operator=(Frozen const&) = delete;
    ~Frozen();

private:
    Frozen() = default;
    std::vector<pid_t> stopped_;  // in the order in which they were: the first process first
};

}  // namespace oblea::tools
