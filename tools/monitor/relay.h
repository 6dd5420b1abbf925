// SPDX-License-Identifier: MIT
// Passes TCP connections on, byte for byte: whoever connects to a listening socket is connected to
// a target.
//
// One thread, no limit on connections but that of open files (then it accepts no more until one
// ends). Each direction ends by itself: an end that one side sends reaches the other after all that
// came before it, while the opposite direction goes on. A side that reads nothing holds up the
// other one: at most one buffer (64 KiB) of each direction is kept here. A connection that one side
// resets is reset on the other.
//
// New sockets are made in the network namespace of the caller, wherever the listening ones belong.
#pragma once
#include "store/base/unique_fd.h"
#include "tools/monitor/socket_address.h"

#include <chrono>
#include <vector>

namespace oblea::tools {

struct RelayPort {
    base::UniqueFd listener;             // listening, non-blocking
    std::vector<SocketAddress> targets;  // the first that takes the connection has it
};

struct RelayEnd {
    // When its other end is closed nothing is accepted any more, ...
    base::UniqueFd line;
    // ... and what is under way has so long to end.
    std::chrono::milliseconds grace{2000};
};

// Returns when that is over. Errors: as epoll_create1(2).
Status relay_connections(std::vector<RelayPort> ports, RelayEnd end);

}  // namespace oblea::tools
