// SPDX-License-Identifier: MIT
// The first process of a container that an OCI runtime has made, and that nobody is going to start.
//
// Until it is started it is no container's for anybody but the runtime: it waits at the FIFO
// "exec.fifo" in the runtime's state, as crun and runc both have it, and by that it is found here,
// whatever its number is and whoever made it.
#pragma once
#include <string>

namespace oblea::tools {

// Kills it, in whatever namespace it is, and waits for its end. Whether there was one. Only for who
// knows that the container's monitor lives no more.
bool end_unstarted(std::string const& container_id);

}  // namespace oblea::tools
