// SPDX-License-Identifier: MIT
#include "tools/monitor/guard.h"

#include "store/base/sys.h"
#include "tools/mount/background.h"

#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <csignal>

namespace oblea::tools {
namespace {

namespace sys = base::sys;
using base::UniqueFd;

[[noreturn]] void wait_and_kill(UniqueFd const& alive, UniqueFd const& process) {
    ::setsid();
    // Whoever reads what the monitor prints must not wait for us.
    static_cast<void>(redirect_standard_streams(-1));
    std::array<std::byte, 1> byte{};
    auto const told = sys::read_some(alive.get(), byte);
    if (!told.has_value() || *told == 0) {
        ::syscall(SYS_pidfd_send_signal, process.get(), SIGKILL, nullptr, 0U);
    }
    ::_exit(0);
}

}  // namespace

Result<Guard> Guard::start(pid_t init) {
    UniqueFd const process{static_cast<int>(::syscall(SYS_pidfd_open, init, 0U))};
    std::array<int, 2> ends{};
    if (!process.valid() || ::pipe2(ends.data(), O_CLOEXEC) != 0) {
        return fail(sys::last_errno(), "guard");
    }
    UniqueFd const reader{ends[0]};
    UniqueFd writer{ends[1]};
    pid_t const pid = ::fork();
    if (pid < 0) {
        return fail(sys::last_errno(), "fork");
    }
    if (pid == 0) {
        close_all_but({reader.get(), process.get()});
        wait_and_kill(reader, process);
    }
    return Guard{std::move(writer)};
}

Guard::~Guard() {
    if (alive_.valid()) {
        std::array<std::byte, 1> const in_order{};
        static_cast<void>(sys::write_all(alive_.get(), in_order));
    }
}

}  // namespace oblea::tools
