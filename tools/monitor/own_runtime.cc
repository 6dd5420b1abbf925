// SPDX-License-Identifier: MIT
#include "tools/monitor/own_runtime.h"

#include "store/base/limits.h"
#include "store/base/sys.h"
#include "tools/container/read_bundle.h"
#include "tools/monitor/own_process.h"
#include "tools/monitor/own_root.h"
#include "tools/monitor/terminal.h"
#include "tools/mount/background.h"
#include "tools/mount/exit_code.h"
#include "tools/mount/private_mounts.h"

#include <fmt/format.h>
#include <net/if.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <charconv>
#include <csignal>
#include <cstdio>
#include <cstring>

namespace oblea::tools {
namespace {

namespace sys = base::sys;
using base::UniqueFd;

constexpr char const* kConfig = "config.json";
constexpr std::size_t kMessageBytesMax = 16U << 10U;

// --- messages between the monitor and the first process: one byte, or an error

// Nothing when the other side has ended.
Result<std::optional<std::string>> receive(UniqueFd const& socket) {
    std::array<std::byte, kMessageBytesMax> buffer{};
    auto const count = OBLEA_TRY(sys::read_some(socket.get(), buffer));
    if (count == 0) {
        return std::optional<std::string>{};
    }
    return std::optional{std::string{base::text_of(base::ByteView{buffer}.first(count))}};
}

void send(UniqueFd const& socket, std::string_view message) {
    static_cast<void>(::send(socket.get(), message.data(), message.size(), MSG_NOSIGNAL));
}

Result<UniqueFd> connect_console(int bundle, std::string const& name) {
    UniqueFd socket{::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::string const path = sys::proc_path(bundle) + '/' + name;
    path.copy(address.sun_path, sizeof(address.sun_path) - 1);
    auto const* generic = static_cast<sockaddr const*>(static_cast<void const*>(&address));
    if (!socket.valid() || ::connect(socket.get(), generic, sizeof(address)) != 0) {
        return fail(sys::last_errno(), "connect", name);
    }
    return socket;
}

Status send_descriptor(UniqueFd const& socket, int fd) {
    char byte = 0;
    iovec part{.iov_base = &byte, .iov_len = 1};
    alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> control{};
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    message.msg_control = control.data();
    message.msg_controllen = control.size();
    cmsghdr* const header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof(int));
    std::memcpy(CMSG_DATA(header), &fd, sizeof(fd));
    if (::sendmsg(socket.get(), &message, MSG_NOSIGNAL) < 0) {
        return fail(sys::last_errno(), "sendmsg");
    }
    return {};
}

// --- in the first process

Status raise_loopback() {
    UniqueFd const socket{::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)};
    ifreq request{};
    std::string_view{"lo"}.copy(request.ifr_name, IFNAMSIZ - 1);
    request.ifr_flags = IFF_UP | IFF_RUNNING;
    if (!socket.valid() || ::ioctl(socket.get(), SIOCSIFFLAGS, &request) != 0) {
        return fail(sys::last_errno(), "ioctl", "loopback interface");
    }
    return {};
}

Status set_streams(StandardStreams const& streams) {
    UniqueFd const null = OBLEA_TRY(sys::open("/dev/null", O_RDWR));
    for (auto const& [from, to] :
         {std::pair{streams.in, STDIN_FILENO}, std::pair{streams.out, STDOUT_FILENO},
          std::pair{streams.err, STDERR_FILENO}}) {
        if (::dup2(from >= 0 ? from : null.get(), to) < 0) {
            return fail(sys::last_errno(), "dup2");
        }
    }
    return {};
}

// Up to a process that only has to be executed.
Status make_inside(Bundle const& bundle, UniqueFd const& console) {
    OBLEA_TRY(enter_mount_namespace());
    if (bundle.network == Bundle::Network::own) {
        OBLEA_TRY(raise_loopback());
    }
    if (::sethostname(bundle.hostname.data(), bundle.hostname.size()) != 0) {
        return fail(sys::last_errno(), "sethostname");
    }
    auto const terminal = OBLEA_TRY(enter_own_root(bundle));
    if (terminal.has_value()) {
        OBLEA_TRY(send_descriptor(console, terminal->master.get()));
        return take_terminal(terminal->slave);
    }
    ::setsid();
    return {};
}

[[noreturn]] void be_first_process(Bundle const& bundle, UniqueFd const& gate,
                                   UniqueFd const& console) {
    auto const made = make_inside(bundle, console);
    if (!made.has_value()) {
        send(gate, encode_error(made.error()));
        ::_exit(exit_code::kOwnFailure);
    }
    send(gate, std::string_view{"\0", 1});
    auto const told = receive(gate);
    if (!told.has_value() || !told->has_value()) {
        ::_exit(exit_code::kOwnFailure);  // the monitor has gone, or wants it no more
    }
    auto const become = become_command(bundle.process);
    Error const problem =
        become.has_value() ? execute_command(bundle.process) : Error{become.error()};
    send(gate, encode_error(problem));
    ::_exit(exit_status_of(problem));
}

// --- in the process between: children of a process that changes its namespace are born there

[[noreturn]] void make_first_process(Bundle const& bundle, UniqueFd const& gate,
                                     UniqueFd const& answer, UniqueFd const& console) {
    int const network = bundle.network == Bundle::Network::own ? CLONE_NEWNET : 0;
    if (::unshare(CLONE_NEWPID | CLONE_NEWIPC | CLONE_NEWUTS | network) != 0) {
        send(gate, encode_error(Error{sys::last_errno(), "unshare", "namespaces"}));
        ::_exit(1);
    }
    pid_t const pid = ::fork();
    if (pid == 0) {
        close_all_but({gate.get(), console.get()});
        be_first_process(bundle, gate, console);
    }
    std::string const text = std::to_string(pid);
    send(answer, text);
    ::_exit(pid > 0 ? 0 : 1);
}

struct SocketPair {
    UniqueFd here;
    UniqueFd there;
};

Result<SocketPair> make_sockets() {
    std::array<int, 2> ends{};
    if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends.data()) != 0) {
        return fail(sys::last_errno(), "socketpair");
    }
    return SocketPair{.here = UniqueFd{ends[0]}, .there = UniqueFd{ends[1]}};
}

Result<pid_t> number_of(std::string const& text) {
    pid_t pid = 0;
    std::from_chars(text.data(), text.data() + text.size(), pid);
    if (pid <= 0) {
        return fail(Errno::eagain, "fork");
    }
    return pid;
}

}  // namespace

Result<OwnContainer> OwnContainer::create(int bundle, StandardStreams const& streams,
                                          std::optional<std::string> const& console_socket) {
    std::string const text = OBLEA_TRY(sys::read_file(bundle, kConfig, limits::kConfigBytesMax));
    Bundle const description = OBLEA_TRY(read_bundle(text));
    UniqueFd console;
    if (console_socket.has_value()) {
        console = OBLEA_TRY(connect_console(bundle, *console_socket));
    }
    SocketPair gate = OBLEA_TRY(make_sockets());
    SocketPair answer = OBLEA_TRY(make_sockets());
    std::fflush(nullptr);
    pid_t const between = ::fork();
    if (between < 0) {
        return fail(sys::last_errno(), "fork");
    }
    if (between == 0) {
        gate.here.reset();
        if (!set_streams(streams).has_value()) {
            ::_exit(1);
        }
        make_first_process(description, gate.there, answer.there, console);
    }
    gate.there.reset();
    answer.there.reset();
    auto const said = OBLEA_TRY(receive(answer.here));
    OBLEA_TRY(wait_for_child(between));
    if (!said.has_value()) {
        auto const problem = OBLEA_TRY(receive(gate.here));
        return std::unexpected<Error>(parse_error(problem.value_or("")));
    }
    pid_t const init = OBLEA_TRY(number_of(*said));
    UniqueFd process{static_cast<int>(::syscall(SYS_pidfd_open, init, 0U))};
    auto const ready = OBLEA_TRY(receive(gate.here));
    if (!process.valid() || !ready.has_value() || ready->size() > 1) {
        gate.here.reset();
        OBLEA_TRY(wait_for_child(init));
        return std::unexpected<Error>(parse_error(ready.value_or("")));
    }
    return OwnContainer{init, std::move(process), std::move(gate.here)};
}

Status OwnContainer::start() {
    send(gate_, std::string_view{"\0", 1});
    auto const problem = OBLEA_TRY(receive(gate_));  // closed by exec
    gate_.reset();
    if (problem.has_value()) {
        return std::unexpected<Error>(parse_error(*problem));
    }
    return {};
}

Status OwnContainer::kill() const {
    if (::syscall(SYS_pidfd_send_signal, process_.get(), SIGKILL, nullptr, 0U) != 0 &&
        sys::last_errno() != Errno{ESRCH}) {
        return fail(sys::last_errno(), "kill");
    }
    return {};
}

// --- a further command

namespace {

// The machine's network is nothing to be entered, and whoever is root of a user namespace only may
// not.
Result<bool> has_own_network(pid_t init) {
    std::string const inside =
        OBLEA_TRY(sys::readlinkat(AT_FDCWD, fmt::format("/proc/{}/ns/net", init).c_str()));
    std::string const here = OBLEA_TRY(sys::readlinkat(AT_FDCWD, "/proc/self/ns/net"));
    return inside != here;
}

Status enter_container(pid_t init) {
    UniqueFd const process{static_cast<int>(::syscall(SYS_pidfd_open, init, 0U))};
    if (!process.valid()) {
        return fail(sys::last_errno(), "pidfd_open");
    }
    UniqueFd const root =
        OBLEA_TRY(sys::open(fmt::format("/proc/{}/root", init), O_PATH | O_DIRECTORY));
    int const network = OBLEA_TRY(has_own_network(init)) ? CLONE_NEWNET : 0;
    if (::setns(process.get(),
                CLONE_NEWPID | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWNS | network) != 0) {
        return fail(sys::last_errno(), "setns");
    }
    if (::fchdir(root.get()) != 0 || ::chroot(".") != 0) {
        return fail(sys::last_errno(), "chroot");
    }
    return {};
}

[[noreturn]] void run_further(BundleProcess const& process, UniqueFd const& slave) {
    Status ready;
    if (process.terminal) {
        ready = take_terminal(slave);
    } else {
        ::setsid();
    }
    if (ready.has_value()) {
        ready = become_command(process);
    }
    Error const problem = ready.has_value() ? execute_command(process) : Error{ready.error()};
    fmt::print(stderr, "oblea: {}\n", problem.message());
    std::fflush(nullptr);
    ::_exit(exit_status_of(problem));
}

}  // namespace

Result<int> exec_in_own(OwnExec const& exec) {
    std::string const text =
        OBLEA_TRY(sys::read_file(exec.bundle, exec.process.c_str(), limits::kConfigBytesMax));
    BundleProcess process = OBLEA_TRY(read_bundle_process(text));
    process.terminal = process.terminal && exec.wait == OwnExec::Wait::until_it_ends;
    OBLEA_TRY(enter_container(exec.init));
    PseudoTerminal terminal;
    if (process.terminal) {
        UniqueFd multiplexer = OBLEA_TRY(sys::open("/dev/pts/ptmx", O_RDWR | O_NOCTTY));
        terminal = OBLEA_TRY(make_pseudo_terminal(std::move(multiplexer)));
        copy_terminal_size(terminal.master);
    }
    std::fflush(nullptr);
    pid_t const pid = ::fork();
    if (pid < 0) {
        return fail(sys::last_errno(), "fork");
    }
    if (pid == 0) {
        run_further(process, terminal.slave);
    }
    if (exec.wait == OwnExec::Wait::no) {
        return 0;
    }
    terminal.slave.reset();
    TerminalInput const input = exec.input == OwnExec::Input::standard_input
                                    ? TerminalInput::standard_input
                                    : TerminalInput::none;
    auto const ended =
        process.terminal ? relay_terminal(terminal.master, input, pid) : wait_for_child(pid);
    int const status = OBLEA_TRY(ended);
    return exit_code::of_wait_status(status);
}

}  // namespace oblea::tools
