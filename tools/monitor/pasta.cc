// SPDX-License-Identifier: MIT
#include "tools/monitor/pasta.h"

#include "store/base/sys.h"
#include "tools/monitor/runtime.h"

#include <fmt/format.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <thread>

namespace oblea::tools {
namespace {

namespace sys = base::sys;

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

}  // namespace

Status need_pasta() {
    if (::access(kPasta, X_OK) != 0) {
        return fail(Errno::enoent, "",
                    "a container with published ports has its network by pasta, which is not "
                    "installed: install the package "
                    "passt, or use --network host");
    }
    return {};
}

std::vector<std::string> pasta_command(std::vector<PortMapping> const& ports,
                                       std::string const& space) {
    std::vector<std::string> command{kPasta,    "--config-net", "--foreground",
                                     "--quiet", "--netns",      space};
    bool udp = false;
    for (PortMapping const& port : ports) {
        if (port.protocol == PortMapping::Protocol::udp) {
            udp = true;
            std::string const address = port.host_address.empty() ? "" : port.host_address + '/';
            command.insert(command.end(), {"-u", fmt::format("{}{}:{}", address, port.host_port,
                                                             port.container_port)});
        }
    }
    if (!udp) {
        command.insert(command.end(), {"-u", "none"});
    }
    // As whoever we are: another user could not enter the namespace.
    command.insert(command.end(), {"--runas", "0"});
    // TCP ports are not its business (published_ports.h), and what listens on the machine's
    // loopback is not the container's.
    command.insert(command.end(), {"-t", "none", "-T", "none", "-U", "none"});
    return command;
}

Result<pid_t> start_pasta(std::vector<PortMapping> const& ports, pid_t init, int folder) {
    auto const log =
        OBLEA_TRY(sys::openat(folder, "pasta.log", O_WRONLY | O_CREAT | O_TRUNC | O_APPEND));
    std::string const space = OBLEA_TRY(name_namespace(init, folder));
    pid_t const pid = OBLEA_TRY(
        spawn(pasta_command(ports, space), folder, {.in = -1, .out = log.get(), .err = log.get()}));
    bool ended = false;
    for (int waited = 0; !ended && waited < kWaitMs; waited += kStepMs) {
        ended = ::waitpid(pid, nullptr, WNOHANG) == pid;
        if (!ended && is_connected(init)) {
            return pid;
        }
        std::this_thread::sleep_for(std::chrono::milliseconds{kStepMs});
    }
    if (!ended) {
        ::kill(pid, SIGKILL);
        ::waitpid(pid, nullptr, 0);
    }
    std::string const said = sys::read_file(folder, "pasta.log", 65536).value_or("");
    return fail(Errno::eio, "", "the container's network cannot be made: pasta: " + said);
}

}  // namespace oblea::tools
