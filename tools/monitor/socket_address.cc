// SPDX-License-Identifier: MIT
#include "tools/monitor/socket_address.h"

#include "store/base/sys.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>

#include <array>
#include <cstring>

namespace oblea::tools {
namespace {

sockaddr_in as_four(sockaddr_storage const& storage) {
    sockaddr_in four{};
    std::memcpy(&four, &storage, sizeof(four));
    return four;
}

sockaddr_in6 as_six(sockaddr_storage const& storage) {
    sockaddr_in6 six{};
    std::memcpy(&six, &storage, sizeof(six));
    return six;
}

}  // namespace

Result<SocketAddress> SocketAddress::parse(std::string const& address, std::uint16_t port) {
    SocketAddress result;
    sockaddr_in four{};
    sockaddr_in6 six{};
    if (::inet_pton(AF_INET, address.c_str(), &four.sin_addr) == 1) {
        four.sin_family = AF_INET;
        four.sin_port = htons(port);
        std::memcpy(&result.storage_, &four, sizeof(four));
    } else if (::inet_pton(AF_INET6, address.c_str(), &six.sin6_addr) == 1) {
        six.sin6_family = AF_INET6;
        six.sin6_port = htons(port);
        std::memcpy(&result.storage_, &six, sizeof(six));
    } else {
        return fail(Errno::einval, "",
                    fmt::format("\"{}\" is no address to publish a port on", address));
    }
    return result;
}

SocketAddress SocketAddress::of(sockaddr const* address, std::uint16_t port) {
    SocketAddress result;
    std::uint16_t const wire_port = htons(port);
    std::size_t const port_at = address->sa_family == AF_INET6 ? offsetof(sockaddr_in6, sin6_port)
                                                               : offsetof(sockaddr_in, sin_port);
    void* const to = &result.storage_;
    std::memcpy(to, address,
                address->sa_family == AF_INET6 ? sizeof(sockaddr_in6) : sizeof(sockaddr_in));
    std::memcpy(static_cast<char*>(to) + port_at, &wire_port, sizeof(wire_port));
    return result;
}

Result<SocketAddress> SocketAddress::bound_to(int socket) {
    SocketAddress result;
    socklen_t size = sizeof(result.storage_);
    void* const storage = &result.storage_;
    if (::getsockname(socket, static_cast<sockaddr*>(storage), &size) != 0) {
        return fail(base::sys::last_errno(), "getsockname");
    }
    return result;
}

sockaddr const* SocketAddress::get() const {
    void const* const storage = &storage_;
    return static_cast<sockaddr const*>(storage);
}

socklen_t SocketAddress::size() const {
    return is_ipv6() ? sizeof(sockaddr_in6) : sizeof(sockaddr_in);
}

std::uint16_t SocketAddress::port() const {
    return ntohs(is_ipv6() ? as_six(storage_).sin6_port : as_four(storage_).sin_port);
}

std::string SocketAddress::to_string() const {
    std::array<char, INET6_ADDRSTRLEN> text{};
    if (is_ipv6()) {
        sockaddr_in6 const six = as_six(storage_);
        ::inet_ntop(AF_INET6, &six.sin6_addr, text.data(), text.size());
        return fmt::format("[{}]:{}", text.data(), port());
    }
    sockaddr_in const four = as_four(storage_);
    ::inet_ntop(AF_INET, &four.sin_addr, text.data(), text.size());
    return fmt::format("{}:{}", text.data(), port());
}

}  // namespace oblea::tools
