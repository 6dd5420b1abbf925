// SPDX-License-Identifier: MIT
#include "tools/mount/stop_signals.h"

#include "store/base/sys.h"
#include "tools/mount/background.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cstdint>
#include <thread>

namespace oblea::tools {

namespace sys = base::sys;

StopSignals::StopSignals(Hangup hangup) {
    sigset_t wanted;
    ::sigemptyset(&wanted);
    ::sigaddset(&wanted, SIGTERM);
    ::sigaddset(&wanted, SIGINT);
    if (hangup == Hangup::ends) {
        ::sigaddset(&wanted, SIGHUP);
    } else {
        static_cast<void>(std::signal(SIGHUP, SIG_IGN));
    }
    ::pthread_sigmask(SIG_BLOCK, &wanted, &before_);
    signals_ = base::UniqueFd{::signalfd(-1, &wanted, SFD_CLOEXEC)};
    end_ = base::UniqueFd{::eventfd(0, EFD_CLOEXEC)};
}

StopSignals::~StopSignals() {
    ::pthread_sigmask(SIG_SETMASK, &before_, nullptr);
}

Status StopSignals::run(fs::Server& server) {
    if (!signals_.valid() || !end_.valid()) {
        return fail(Errno::emfile, "signalfd");
    }
    std::thread watcher{[this, &server] { watch(server); }};
    auto ended = server.run();
    std::uint64_t const one = 1;
    static_cast<void>(::write(end_.get(), &one, sizeof(one)) == 0);
    watcher.join();
    return ended;
}

Result<int> StopSignals::wait_for(pid_t child) {
    base::UniqueFd const ended{static_cast<int>(::syscall(SYS_pidfd_open, child, 0))};
    if (!ended.valid()) {
        return fail(sys::last_errno(), "pidfd_open");
    }
    std::array<pollfd, 2> waiting{pollfd{.fd = signals_.get(), .events = POLLIN, .revents = 0},
                                  pollfd{.fd = ended.get(), .events = POLLIN, .revents = 0}};
    for (;;) {
        if (::poll(waiting.data(), waiting.size(), -1) < 0) {
            continue;
        }
        if (waiting[1].revents != 0) {
            return wait_for_child(child);
        }
        signalfd_siginfo info{};
        if (::read(signals_.get(), &info, sizeof(info)) == sizeof(info)) {
            ::kill(child, SIGTERM);
        }
    }
}

void StopSignals::watch(fs::Server& server) const {
    std::array<pollfd, 2> waiting{pollfd{.fd = signals_.get(), .events = POLLIN, .revents = 0},
                                  pollfd{.fd = end_.get(), .events = POLLIN, .revents = 0}};
    for (;;) {
        if (::poll(waiting.data(), waiting.size(), -1) < 0) {
            continue;
        }
        if (waiting[1].revents != 0) {
            return;
        }
        signalfd_siginfo info{};
        if (::read(signals_.get(), &info, sizeof(info)) == sizeof(info)) {
            server.stop();
        }
    }
}

}  // namespace oblea::tools
