// SPDX-License-Identifier: MIT
#include "tools/monitor/guard.h"

#include "store/base/sys.h"
#include "tools/monitor/unstarted.h"
#include "tools/mount/background.h"

#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <csignal>
#include <thread>
#include <vector>

namespace oblea::tools {
namespace {

namespace sys = base::sys;
using base::UniqueFd;

// What the monitor sends: the number of a process, or this when all is in order.
constexpr pid_t kInOrder = 0;

// The runtime ends with the monitor, by the kernel's hand, and this process may be faster.
constexpr int kTries = 40;
constexpr std::chrono::milliseconds kPause{50};

void end_what_was_made(std::string const& container_id) {
    for (int i = 0; i < kTries && !end_unstarted(container_id); ++i) {
        std::this_thread::sleep_for(kPause);
    }
}

[[noreturn]] void wait_and_kill(UniqueFd const& monitor, std::string const& container_id) {
    ::setsid();
    // Whoever reads what the monitor prints must not wait for us.
    static_cast<void>(redirect_standard_streams(-1));
    std::vector<UniqueFd> processes;
    for (;;) {
        pid_t told = kInOrder;
        if (::recv(monitor.get(), &told, sizeof(told), 0) != sizeof(told)) {
            break;
        }
        if (told == kInOrder) {
            ::_exit(0);
        }
        processes.emplace_back(static_cast<int>(::syscall(SYS_pidfd_open, told, 0U)));
        ::send(monitor.get(), &told, sizeof(told), MSG_NOSIGNAL);
    }
    for (UniqueFd const& process : processes) {
        ::syscall(SYS_pidfd_send_signal, process.get(), SIGKILL, nullptr, 0U);
    }
    if (processes.empty()) {
        end_what_was_made(container_id);
    }
    ::_exit(0);
}

}  // namespace

Result<Guard> Guard::start(std::string const& container_id) {
    std::array<int, 2> ends{};
    if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends.data()) != 0) {
        return fail(sys::last_errno(), "guard");
    }
    UniqueFd const theirs{ends[0]};
    UniqueFd ours{ends[1]};
    pid_t const pid = ::fork();
    if (pid < 0) {
        return fail(sys::last_errno(), "fork");
    }
    if (pid == 0) {
        close_all_but({theirs.get()});
        wait_and_kill(theirs, container_id);
    }
    return Guard{std::move(ours)};
}

// Answered, since its number may be another one's as soon as the monitor goes on.
Status Guard::watch(pid_t process) {
    pid_t answer = kInOrder;
    if (::send(monitor_.get(), &process, sizeof(process), MSG_NOSIGNAL) != sizeof(process) ||
        ::recv(monitor_.get(), &answer, sizeof(answer), 0) != sizeof(answer)) {
        return fail(Errno::eio, "", "the container's guard was lost");
    }
    return {};
}

Guard::~Guard() {
    if (monitor_.valid()) {
        ::send(monitor_.get(), &kInOrder, sizeof(kInOrder), MSG_NOSIGNAL);
    }
}

}  // namespace oblea::tools
