// SPDX-License-Identifier: MIT
// Asks something of a mount on each processor, so that each queue of its rings has a request.
//
// While nobody is on a ring the kernel lets requests queue up, and sends them with the next answer
// in that queue: so there has to be one after a takeover.
#pragma once
#include "store/base/error.h"

#include <string>

namespace oblea::fs {

// Returns at once; a process of nobody's asks. It must not be one of the server's threads: who
// waits for an answer that a server has begun with cannot be killed, so a server that is killed
// would never end, and no other would come to answer. Errors: those of fork(2).
Status ask_queues(std::string const& mount_point, unsigned processors);

}  // namespace oblea::fs
