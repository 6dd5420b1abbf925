// SPDX-License-Identifier: MIT
#include "tools/mount/keep_serving.h"

#include "store/base/sys.h"
#include "tools/mount/life_line.h"

#include <fmt/core.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <vector>

namespace oblea::tools {
namespace {

namespace sys = base::sys;

// Deaths by their own fault after which a mount is given up, and in what time.
constexpr int kCrashesMax = 8;
constexpr std::chrono::seconds kCrashesWithin{10};

// Whether a signal says that the program is at fault, and not that somebody wanted it gone.
bool is_fault(int signal) {
    return signal == SIGSEGV || signal == SIGBUS || signal == SIGABRT || signal == SIGILL ||
           signal == SIGFPE;
}

// Counts faults, and says when there were too many.
class Patience {
public:
    [[nodiscard]] bool is_exhausted() {
        auto const now = std::chrono::steady_clock::now();
        std::erase_if(faults_, [&](auto const& at) { return now - at > kCrashesWithin; });
        faults_.push_back(now);
        return faults_.size() > kCrashesMax;
    }

private:
    std::vector<std::chrono::steady_clock::time_point> faults_;
};

}  // namespace

EndOfHolder::EndOfHolder() : holder_(::getpid()) {
    ::prctl(PR_GET_PDEATHSIG, &signal_);
}

void EndOfHolder::inherit() const {
    if (signal_ == 0) {
        return;
    }
    ::prctl(PR_SET_PDEATHSIG, signal_);
    if (::getppid() != holder_) {
        ::raise(signal_);  // it waits until the server runs
    }
}

void log_end(Status const& ended) {
    if (!ended.has_value()) {
        fmt::print(stderr, "oblea: {}\n", ended.error().message());
    }
}

Result<ServerProcess> fork_server(std::function<void()> const& serve) {
    LifeLine line = OBLEA_TRY(LifeLine::make());
    std::fflush(nullptr);  // else the child would print what is buffered once more
    EndOfHolder const end;
    pid_t const server = ::fork();
    if (server < 0) {
        return fail(sys::last_errno(), "fork");
    }
    if (server == 0) {
        end.inherit();
        line.holders.reset();
        log_end(hold_life_line(std::move(line.servers)));
        serve();
        std::abort();
    }
    return ServerProcess{.pid = server, .life = std::move(line.holders)};
}

Status keep_serving(fs::Server const& server, StopSignals& signals,
                    ServerProcesses const& processes) {
    Patience patience;
    auto crashed = fs::Server::Crashed::no;
    for (First first = First::yes;; first = First::no) {
        ServerProcess const process = OBLEA_TRY(processes.start(first, crashed));
        auto const [status, upgrade] = OBLEA_TRY(signals.wait_for(process));
        if (WIFEXITED(status)) {
            return WEXITSTATUS(status) == 0
                       ? Status{}
                       : fail(Errno::eio, "", "the file system's server ended with an error");
        }
        if (upgrade && processes.upgrade && server.can_resume()) {
            crashed = fs::Server::Crashed::no;
            processes.upgrade();
            continue;
        }
        int const signal = WTERMSIG(status);
        bool const fault = is_fault(signal);
        crashed = fault ? fs::Server::Crashed::yes : fs::Server::Crashed::no;
        std::string const death = fmt::format("the file system's server (process {}) died: {}",
                                              process.pid, ::strsignal(signal));
        if (!server.can_resume()) {
            return fail(Errno::eio, "", death + "; this kernel cannot go on with another one");
        }
        if (fault && patience.is_exhausted()) {
            return fail(Errno::eio, "", death + ", as others before it");
        }
        fmt::print(stderr, "oblea: {}; another one takes over\n", death);
    }
}

}  // namespace oblea::tools
