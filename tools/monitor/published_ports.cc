// SPDX-License-Identifier: MIT
#include "tools/monitor/published_ports.h"

#include "store/base/sys.h"
#include "tools/monitor/relay.h"
#include "tools/monitor/socket_address.h"
#include "tools/mount/background.h"

#include <fmt/format.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sched.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <csignal>
#include <cstring>
#include <memory>

namespace oblea::tools {
namespace {

namespace sys = base::sys;
using base::UniqueFd;

constexpr char const* kAnyFour = "0.0.0.0";
constexpr char const* kAnySix = "::";

bool is_tcp(PortMapping const& port) {
    return port.protocol == PortMapping::Protocol::tcp;
}

// A socket that has the address; listening where it is TCP.
Result<UniqueFd> take_address(SocketAddress const& address, PortMapping::Protocol protocol) {
    bool const tcp = protocol == PortMapping::Protocol::tcp;
    char const* step = "socket";
    UniqueFd socket{::socket(address.family(),
                             (tcp ? SOCK_STREAM : SOCK_DGRAM) | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)};
    if (socket.valid()) {
        int const on = 1;
        // Connections of an earlier run that wait for their end keep no port.
        if (tcp) {
            ::setsockopt(socket.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
        }
        if (address.is_ipv6()) {
            ::setsockopt(socket.get(), IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on));
        }
        step = "bind";
        if (::bind(socket.get(), address.get(), address.size()) == 0 &&
            (!tcp || ::listen(socket.get(), SOMAXCONN) == 0)) {
            return socket;
        }
    }
    Errno const code = sys::last_errno();
    std::string reason = Error{.code = code, .op = "", .detail = ""}.message();
    std::ranges::transform(reason, reason.begin(),
                           [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    return fail(code, "",
                fmt::format("ports cannot be published: listen {}{} {}: {}: {}",
                            tcp ? "tcp" : "udp", address.is_ipv6() ? 6 : 4, address.to_string(),
                            step, reason));
}

// Where the machine has no IPv6 nobody misses it.
bool is_without_ipv6(Error const& error) {
    return error.code == Errno{EAFNOSUPPORT} || error.code == Errno{EADDRNOTAVAIL};
}

// Such an address is not the container's own for its first second, in which a connection to it gets
// no answer at all, not even a refusal.
bool is_link_local(sockaddr const& address) {
    sockaddr_in6 six{};
    if (address.sa_family != AF_INET6) {
        return false;
    }
    std::memcpy(&six, &address, sizeof(six));
    return IN6_IS_ADDR_LINKLOCAL(&six.sin6_addr);
}

struct FreeAddresses {
    void operator()(ifaddrs* list) const { ::freeifaddrs(list); }
};

// What connections to the container are made to: its IPv4 addresses before the others; its loopback
// where it has nothing else.
Result<std::vector<SocketAddress>> addresses_of_this_network(std::uint16_t port) {
    ifaddrs* found = nullptr;
    if (::getifaddrs(&found) != 0) {
        return fail(sys::last_errno(), "getifaddrs");
    }
    std::unique_ptr<ifaddrs, FreeAddresses> const list{found};
    std::vector<SocketAddress> addresses;
    for (ifaddrs const* one = found; one != nullptr; one = one->ifa_next) {
        bool const usable = one->ifa_addr != nullptr && (one->ifa_flags & IFF_UP) != 0U &&
                            (one->ifa_flags & IFF_LOOPBACK) == 0U && !is_link_local(*one->ifa_addr);
        if (usable &&
            (one->ifa_addr->sa_family == AF_INET || one->ifa_addr->sa_family == AF_INET6)) {
            addresses.push_back(SocketAddress::of(one->ifa_addr, port));
        }
    }
    std::ranges::stable_sort(addresses, {}, &SocketAddress::is_ipv6);
    if (addresses.empty()) {
        addresses.push_back(OBLEA_TRY(SocketAddress::parse("127.0.0.1", port)));
    }
    return addresses;
}

// Every connection takes two.
void allow_many_descriptors() {
    rlimit limit{};
    if (::getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        static_cast<void>(::setrlimit(RLIMIT_NOFILE, &limit));
    }
}

}  // namespace

Status choose_host_ports(std::vector<PortMapping>& ports) {
    std::vector<UniqueFd> held;  // all at once, so that none is chosen twice
    for (PortMapping& port : ports) {
        if (port.host_port == 0) {
            std::string const address = port.host_address.empty() ? kAnyFour : port.host_address;
            SocketAddress const any = OBLEA_TRY(SocketAddress::parse(address, 0));
            held.push_back(OBLEA_TRY(take_address(any, port.protocol)));
            SocketAddress const taken = OBLEA_TRY(SocketAddress::bound_to(held.back().get()));
            port.host_port = taken.port();
        }
    }
    return {};
}

Result<PublishedPorts> PublishedPorts::listen(std::span<PortMapping const> ports) {
    PublishedPorts published;
    for (PortMapping const& port : ports) {
        bool const everywhere = port.host_address.empty();
        SocketAddress const address = OBLEA_TRY(
            SocketAddress::parse(everywhere ? kAnyFour : port.host_address, port.host_port));
        UniqueFd socket = OBLEA_TRY(take_address(address, port.protocol));
        if (!is_tcp(port)) {
            continue;
        }
        published.listeners_.push_back(
            {.socket = std::move(socket), .container_port = port.container_port});
        if (!everywhere) {
            continue;
        }
        SocketAddress const six = OBLEA_TRY(SocketAddress::parse(kAnySix, port.host_port));
        auto other = take_address(six, port.protocol);
        if (other.has_value()) {
            published.listeners_.push_back(
                {.socket = *std::move(other), .container_port = port.container_port});
        } else if (!is_without_ipv6(other.error())) {
            return std::unexpected<Error>(std::move(other).error());
        }
    }
    return published;
}

PublishedPorts::~PublishedPorts() {
    for (Listener const& listener : listeners_) {
        // Closing alone would leave it to the forwarder, which may take a moment to end.
        if (listener.socket.valid()) {
            ::shutdown(listener.socket.get(), SHUT_RDWR);
        }
    }
}

Result<PublishedPorts::Forwarder> PublishedPorts::forward_to(pid_t init) const {
    std::array<int, 2> ends{};
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) != 0) {
        return fail(sys::last_errno(), "socketpair");
    }
    UniqueFd ours{ends[0]};
    UniqueFd theirs{ends[1]};
    UniqueFd const space = OBLEA_TRY(sys::open(fmt::format("/proc/{}/ns/net", init), O_RDONLY));
    std::vector<int> kept{theirs.get(), space.get()};
    for (Listener const& listener : listeners_) {
        kept.push_back(listener.socket.get());
    }
    auto const prepare = [&]() -> Result<std::vector<RelayPort>> {
        // The sockets that listen stay the machine's; those made from now on are the container's.
        if (::setns(space.get(), CLONE_NEWNET) != 0) {
            return fail(sys::last_errno(), "setns");
        }
        std::vector<RelayPort> ports;
        for (Listener const& listener : listeners_) {
            auto targets = OBLEA_TRY(addresses_of_this_network(listener.container_port));
            ports.push_back(
                {.listener = UniqueFd{listener.socket.get()}, .targets = std::move(targets)});
        }
        allow_many_descriptors();
        OBLEA_TRY(redirect_standard_streams(-1));
        return ports;
    };
    Child const child = OBLEA_TRY(start_child(Parentage::own_session, kept, [&](Report& report) {
        auto ports = prepare();
        if (!ports.has_value()) {
            report.failure(ports.error());
            return 1;
        }
        static_cast<void>(report.success(""));
        return relay_connections(*std::move(ports), {.line = std::move(theirs)}).has_value() ? 0
                                                                                             : 1;
    }));
    return Forwarder{.pid = child.pid, .line = std::move(ours)};
}

}  // namespace oblea::tools
