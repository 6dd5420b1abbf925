// SPDX-License-Identifier: MIT
// Tells who holds a mount at once that its server was killed.
//
// A process can be waited for when its last thread has ended. A thread of a server may wait for
// another request of its own mount (it has pages dropped that are locked), and is not let go before
// that is answered: when the server is killed meanwhile, the next one has to do it. So the end of
// another thread is what tells.
#pragma once
#include "store/base/error.h"
#include "store/base/unique_fd.h"

namespace oblea::tools {

struct LifeLine {
    base::UniqueFd holders;  // hangs up when the server has ended but for threads as above
    base::UniqueFd servers;

    static Result<LifeLine> make();
};

// In the server, with its end: starts a thread that alone keeps it, in a table of descriptors of
// its own, until the process ends. A child that is forked afterwards does not have it.
Status hold_life_line(base::UniqueFd servers);

}  // namespace oblea::tools
