// SPDX-License-Identifier: MIT
// An IPv4 or IPv6 address with a port, as the socket calls want it.
#pragma once
#include "store/base/error.h"

#include <sys/socket.h>

#include <cstdint>
#include <string>

namespace oblea::tools {

class SocketAddress {
public:
    // Numbers only, no names. Errors: EINVAL.
    static Result<SocketAddress> parse(std::string const& address, std::uint16_t port);
    // Of AF_INET or AF_INET6; the scope of a link-local one stays.
    static SocketAddress of(sockaddr const* address, std::uint16_t port);
    // What a bound socket has.
    static Result<SocketAddress> bound_to(int socket);

    [[nodiscard]] sockaddr const* get() const;
    [[nodiscard]] socklen_t size() const;
    [[nodiscard]] int family() const { return storage_.ss_family; }
    [[nodiscard]] bool is_ipv6() const { return family() == AF_INET6; }
    [[nodiscard]] std::uint16_t port() const;
    [[nodiscard]] std::string to_string() const;  // "127.0.0.1:80", "[::1]:80"

private:
    SocketAddress() = default;
    sockaddr_storage storage_{};
};

}  // namespace oblea::tools
