// SPDX-License-Identifier: MIT
#include "tools/monitor/pasta.h"

#include "store/base/sys.h"
#include "tools/monitor/runtime.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <thread>

namespace oblea::tools {
namespace {

namespace sys = base::sys;
using base::UniqueFd;

constexpr char const* kPasta = "/usr/bin/pasta";
constexpr int kWaitMs = 10'000;
constexpr int kStepMs = 10;

// Whether the namespace has an interface besides the loopback, as pasta makes it.
bool is_connected(pid_t init) {
    auto const text =
        sys::read_file(AT_FDCWD, fmt::format("/proc/{}/net/dev", init).c_str(), 1U << 20U);
    if (!text.has_value()) {
        return false;
    }
    std::size_t interfaces = 0;
    for (char const c : *text) {
        interfaces += c == ':' ? 1U : 0U;
    }
    return interfaces > 1;
}

// pasta gives up the right to look into other processes before it opens the namespace: a name of
// it in the container's folder, seen in this mount namespace alone, needs none.
Result<std::string> name_namespace(pid_t init, int folder) {
    std::string const path =
        OBLEA_TRY(sys::readlinkat(AT_FDCWD, sys::proc_path(folder).c_str())) + "/netns";
    static_cast<void>(::umount2(path.c_str(), MNT_DETACH));  // of an earlier run
    OBLEA_TRY(sys::openat(folder, "netns", O_WRONLY | O_CREAT));
    std::string const space = fmt::format("/proc/{}/ns/net", init);
    if (::mount(space.c_str(), path.c_str(), nullptr, MS_BIND, nullptr) != 0) {
        return fail(sys::last_errno(), "mount", space);
    }
    return path;
}

// A socket bound to a free port of the address.
Result<UniqueFd> bind_free_port(PortMapping const& port) {
    sockaddr_in6 six{};
    sockaddr_in four{};
    six.sin6_family = AF_INET6;
    four.sin_family = AF_INET;
    char const* const address = port.host_address.empty() ? "0.0.0.0" : port.host_address.c_str();
    bool const is_four = ::inet_pton(AF_INET, address, &four.sin_addr) == 1;
    if (!is_four && ::inet_pton(AF_INET6, address, &six.sin6_addr) != 1) {
        return fail(Errno::einval, "",
                    fmt::format("\"{}\" is no address to publish a port on", address));
    }
    bool const tcp = port.protocol == PortMapping::Protocol::tcp;
    UniqueFd socket{
        ::socket(is_four ? AF_INET : AF_INET6, (tcp ? SOCK_STREAM : SOCK_DGRAM) | SOCK_CLOEXEC, 0)};
    void const* const wanted = is_four ? static_cast<void const*>(&four) : &six;
    socklen_t const size = is_four ? sizeof(four) : sizeof(six);
    if (!socket.valid() || ::bind(socket.get(), static_cast<sockaddr const*>(wanted), size) != 0) {
        return fail(sys::last_errno(), "bind", address);
    }
    return socket;
}

Result<std::uint16_t> port_of(UniqueFd const& socket) {
    sockaddr_storage bound{};
    socklen_t size = sizeof(bound);
    if (::getsockname(socket.get(), static_cast<sockaddr*>(static_cast<void*>(&bound)), &size) !=
        0) {
        return fail(sys::last_errno(), "getsockname");
    }
    void const* const seen = &bound;
    return ntohs(bound.ss_family == AF_INET ? static_cast<sockaddr_in const*>(seen)->sin_port
                                            : static_cast<sockaddr_in6 const*>(seen)->sin6_port);
}

}  // namespace

Status choose_host_ports(std::vector<PortMapping>& ports) {
    std::vector<UniqueFd> held;  // all at once, so that none is chosen twice
    for (PortMapping& port : ports) {
        if (port.host_port == 0) {
            held.push_back(OBLEA_TRY(bind_free_port(port)));
            port.host_port = OBLEA_TRY(port_of(held.back()));
        }
    }
    return {};
}

Status need_pasta() {
    if (::access(kPasta, X_OK) != 0) {
        return fail(Errno::enoent, "",
                    "ports are published by pasta, which is not installed: install the package "
                    "passt, or use --network host");
    }
    return {};
}

std::vector<std::string> pasta_command(std::vector<PortMapping> const& ports,
                                       std::string const& space) {
    std::vector<std::string> command{kPasta,    "--config-net", "--foreground",
                                     "--quiet", "--netns",      space};
    bool tcp = false;
    bool udp = false;
    for (PortMapping const& port : ports) {
        bool const is_tcp = port.protocol == PortMapping::Protocol::tcp;
        (is_tcp ? tcp : udp) = true;
        std::string const address = port.host_address.empty() ? "" : port.host_address + '/';
        command.insert(command.end(),
                       {is_tcp ? "-t" : "-u",
                        fmt::format("{}{}:{}", address, port.host_port, port.container_port)});
    }
    if (!tcp) {
        command.insert(command.end(), {"-t", "none"});
    }
    if (!udp) {
        command.insert(command.end(), {"-u", "none"});
    }
    // As whoever we are: another user could not enter the namespace.
    command.insert(command.end(), {"--runas", "0"});
    // What listens on the machine's loopback is not the container's.
    command.insert(command.end(), {"-T", "none", "-U", "none"});
    return command;
}

Result<pid_t> start_pasta(std::vector<PortMapping> const& ports, pid_t init, int folder) {
    auto const log =
        OBLEA_TRY(sys::openat(folder, "pasta.log", O_WRONLY | O_CREAT | O_TRUNC | O_APPEND));
    std::string const space = OBLEA_TRY(name_namespace(init, folder));
    pid_t const pid = OBLEA_TRY(
        spawn(pasta_command(ports, space), folder, {.in = -1, .out = log.get(), .err = log.get()}));
    for (int waited = 0; waited < kWaitMs; waited += kStepMs) {
        int status = 0;
        if (::waitpid(pid, &status, WNOHANG) == pid) {
            break;
        }
        if (is_connected(init)) {
            return pid;
        }
        std::this_thread::sleep_for(std::chrono::milliseconds{kStepMs});
    }
    std::string const said = sys::read_file(folder, "pasta.log", 65536).value_or("");
    return fail(Errno::eio, "", "the container's network cannot be made: pasta: " + said);
}

}  // namespace oblea::tools
