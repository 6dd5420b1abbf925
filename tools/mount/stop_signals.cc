// SPDX-License-Identifier: MIT
#include "tools/mount/stop_signals.h"

#include "store/base/parse_number.h"
#include "store/base/process_stat.h"
#include "store/base/sys.h"
#include "tools/mount/background.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <cstdint>
#include <thread>

namespace oblea::tools {

namespace sys = base::sys;

StopSignals::StopSignals(Hangup hangup) {
    sigset_t wanted;
    ::sigemptyset(&wanted);
    ::sigaddset(&wanted, SIGTERM);
    ::sigaddset(&wanted, SIGINT);
    ::sigaddset(&wanted, kUpgradeSignal);
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

namespace {

// How long the threads of a process may take to end after the one that holds its life line.
constexpr std::chrono::milliseconds kThreadsEnd{500};

// Readable when the process has ended, and every thread of it.
Result<base::UniqueFd> watch_process(pid_t pid) {
    base::UniqueFd process{static_cast<int>(::syscall(SYS_pidfd_open, pid, 0))};
    if (!process.valid()) {
        return fail(sys::last_errno(), "pidfd_open");
    }
    return process;
}

pollfd readable(base::UniqueFd const& descriptor) {
    return {.fd = descriptor.get(), .events = POLLIN, .revents = 0};
}

}  // namespace

Status StopSignals::run(fs::Server& server, std::function<void()> const& orphaned) {
    if (!signals_.valid() || !end_.valid()) {
        return fail(Errno::emfile, "signalfd");
    }
    base::UniqueFd const parent = OBLEA_TRY(watch_process(::getppid()));
    std::thread watcher{[&] { watch(server, parent.get(), orphaned); }};
    auto ended = server.run();
    std::uint64_t const one = 1;
    static_cast<void>(::write(end_.get(), &one, sizeof(one)) == 0);
    watcher.join();
    return ended;
}

Result<int> StopSignals::status_of_ended(ServerProcess const& child) {
    base::UniqueFd process = OBLEA_TRY(watch_process(child.pid));
    pollfd all = readable(process);
    if (::poll(&all, 1, static_cast<int>(kThreadsEnd.count())) == 1) {
        return wait_for_child(child.pid);
    }
    auto const told = base::process_stat(std::to_string(child.pid), base::kStatExitCode);
    auto const status = told.has_value() ? base::parse_number<int>(*told) : std::nullopt;
    late_.push_back({.pid = child.pid, .process = std::move(process)});
    return status.value_or(SIGKILL);
}

Result<StopSignals::Ended> StopSignals::wait_for(ServerProcess const& child) {
    bool upgrade = false;
    if (stopping_) {
        ::kill(child.pid, SIGTERM);
    }
    base::UniqueFd const ended = OBLEA_TRY(watch_process(child.pid));
    for (;;) {
        std::vector<pollfd> waiting{readable(signals_), readable(ended), readable(child.life)};
        for (Late const& one : late_) {
            waiting.push_back(readable(one.process));
        }
        if (::poll(waiting.data(), waiting.size(), -1) < 0) {
            continue;
        }
        std::erase_if(late_,
                      [](Late const& one) { return ::waitpid(one.pid, nullptr, WNOHANG) != 0; });
        if (waiting[1].revents != 0 || waiting[2].revents != 0) {
            int const status = OBLEA_TRY(status_of_ended(child));
            return Ended{.status = status, .upgrade = upgrade};
        }
        signalfd_siginfo info{};
        if (waiting[0].revents != 0 &&
            ::read(signals_.get(), &info, sizeof(info)) == sizeof(info)) {
            if (info.ssi_signo != kUpgradeSignal) {
                stopping_ = true;
                ::kill(child.pid, SIGTERM);
            } else if (!stopping_) {
                upgrade = true;
                ::kill(child.pid, SIGKILL);
            }
        }
    }
}

void StopSignals::watch(fs::Server& server, int parent,
                        std::function<void()> const& orphaned) const {
    std::array<pollfd, 3> waiting{readable(signals_), readable(end_),
                                  pollfd{.fd = parent, .events = POLLIN, .revents = 0}};
    for (;;) {
        if (::poll(waiting.data(), waiting.size(), -1) < 0) {
            continue;
        }
        if (waiting[1].revents != 0) {
            return;
        }
        if (waiting[2].revents != 0) {
            waiting[2].fd = -1;  // once
            orphaned();
        }
        signalfd_siginfo info{};
        if (waiting[0].revents != 0 &&
            ::read(signals_.get(), &info, sizeof(info)) == sizeof(info) &&
            info.ssi_signo != kUpgradeSignal) {
            server.stop();
        }
    }
}

}  // namespace oblea::tools
