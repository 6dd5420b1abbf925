// SPDX-License-Identifier: MIT
// A network of a container's own, connected by pasta (Debian's package passt).
#pragma once
#include "tools/container/run_config.h"

#include <sys/types.h>

#include <vector>

namespace oblea::tools {

// Errors: ENOENT naming the package when pasta is not installed.
Status need_pasta();

// Connects the network namespace of process `init` and publishes the UDP ports (TCP:
// published_ports.h); pasta stays as a child of the calling process. `folder` takes its messages
// (pasta.log).
Result<pid_t> start_pasta(std::vector<PortMapping> const& ports, pid_t init, int folder);

// Its command line; `space` is the path of the network namespace. Pure.
std::vector<std::string> pasta_command(std::vector<PortMapping> const& ports,
                                       std::string const& space);

}  // namespace oblea::tools
