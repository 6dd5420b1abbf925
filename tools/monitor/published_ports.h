// SPDX-License-Identifier: MIT
// The published TCP ports of a container: sockets that listen on the machine, and a process that
// passes their connections into the container's network, as docker's proxy does.
//
// pasta, which could do that too, leaves the end of a long upload lying (passt 2023-03-09, Debian
// 12: a client that waits for its answer without closing waits for ever). It goes on publishing UDP
// ports.
//
// The container sees its own address as the source of each connection, never the loopback, so that
// what it allows to itself alone stays closed to others; what listens on its loopback alone is not
// published.
#pragma once
#include "store/base/unique_fd.h"
#include "tools/container/run_config.h"

#include <sys/types.h>

#include <span>
#include <vector>

namespace oblea::tools {

// Gives ports of the machine that are free now to those that name none. Errors: EINVAL for what is
// no address; as bind(2).
Status choose_host_ports(std::vector<PortMapping>& ports);

class PublishedPorts {
public:
    // A port without an address is published on all, IPv6 included where the machine has it. UDP
    // ports are only tried. Errors: EADDRINUSE, EACCES, EADDRNOTAVAIL in docker's words ("listen
    // tcp4 0.0.0.0:80: bind: address already in use"); EINVAL.
    static Result<PublishedPorts> listen(std::span<PortMapping const> ports);
    PublishedPorts(PublishedPorts&&) = default;
    PublishedPorts& operator=(PublishedPorts&&) = delete;
    PublishedPorts(PublishedPorts const&) = delete;
    PublishedPorts& operator=(PublishedPorts const&) = delete;
    // Nothing listens any more, in no other process either, and the ports can be taken again.
    ~PublishedPorts();

    // A child of this process that passes connections on to the network that process `init` has,
    // for as long as `line` is open; it ends within seconds then, at once when no connection is
    // left. Between two of them connections wait. Errors: EIO and what setns(2) says.
    struct Forwarder {
        pid_t pid = -1;
        base::UniqueFd line;
    };
    [[nodiscard]] Result<Forwarder> forward_to(pid_t init) const;

    [[nodiscard]] bool empty() const { return listeners_.empty(); }

private:
    struct Listener {
        base::UniqueFd socket;
        std::uint16_t container_port;
    };
    PublishedPorts() = default;
    std::vector<Listener> listeners_;
};

}  // namespace oblea::tools
