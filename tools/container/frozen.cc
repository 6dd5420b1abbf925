// SPDX-License-Identifier: MIT
#include "tools/container/frozen.h"

#include "store/base/process_stat.h"
#include "store/base/sys.h"
#include "tools/container/processes.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <ranges>
#include <string>
#include <string_view>
#include <thread>

namespace oblea::tools {
namespace {

namespace sys = base::sys;

constexpr int kPassesMax = 100;
constexpr auto kStandstillWait = std::chrono::seconds{10};
constexpr auto kStandstillPoll = std::chrono::milliseconds{1};

// The signal is sent, but a process that runs on another processor or is in a system call stops a
// little later.
bool goes_on(pid_t pid) {
    auto const state = base::process_stat(std::to_string(pid), base::kStatState);
    return state.has_value() && std::string_view{"TtZX"}.find(*state) == std::string_view::npos;
}

Status await_standstill(std::vector<pid_t> const& processes) {
    auto const until = std::chrono::steady_clock::now() + kStandstillWait;
    for (pid_t const pid : processes) {
        while (goes_on(pid)) {
            if (std::chrono::steady_clock::now() > until) {
                return fail(
                    Errno::eagain, "",
                    fmt::format("the container cannot be paused: process {} does not stop", pid));
            }
            std::this_thread::sleep_for(kStandstillPoll);
        }
    }
    return {};
}

}  // namespace

Result<Frozen> Frozen::freeze(pid_t init) {
    Frozen frozen;
    // A process may have forked before it was stopped: until a pass finds nothing new.
    for (int pass = 0; pass < kPassesMax; ++pass) {
        std::size_t const before = frozen.stopped_.size();
        for (pid_t const pid : OBLEA_TRY(processes_beside(init))) {
            if (std::ranges::find(frozen.stopped_, pid) != frozen.stopped_.end()) {
                continue;
            }
            if (::kill(pid, SIGSTOP) == 0) {
                frozen.stopped_.push_back(pid);
            } else if (sys::last_errno() != Errno{ESRCH}) {
                return fail(sys::last_errno(), "kill", "the container cannot be paused");
            }
        }
        if (frozen.stopped_.size() == before) {
            return frozen;
        }
        OBLEA_TRY(await_standstill(frozen.stopped_));
    }
    return fail(Errno::eagain, "", "the container cannot be paused: it makes processes too fast");
}

Frozen::~Frozen() {
    // Children first: a shell that goes on before them would take them for stopped jobs.
    for (pid_t const pid : stopped_ | std::views::reverse) {
        ::kill(pid, SIGCONT);
    }
}

}  // namespace oblea::tools
