// SPDX-License-Identifier: MIT
#include "tools/container/frozen.h"

#include "store/base/sys.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <csignal>
#include <ranges>
#include <thread>

namespace oblea::tools {
namespace {

namespace sys = base::sys;

constexpr int kPassesMax = 100;
constexpr auto kStandstillWait = std::chrono::seconds{10};
constexpr auto kStandstillPoll = std::chrono::milliseconds{1};

Result<std::string> namespace_of(std::string const& pid) {
    return sys::readlinkat(AT_FDCWD, fmt::format("/proc/{}/ns/pid", pid).c_str());
}

// Those of a namespace; of namespaces inside it none.
Result<std::vector<pid_t>> processes_in(std::string const& space) {
    auto const folder = OBLEA_TRY(sys::open("/proc", O_RDONLY | O_DIRECTORY));
    std::vector<pid_t> found;
    for (sys::DirEntry const& entry : OBLEA_TRY(sys::list_dir(folder.get()))) {
        pid_t pid = 0;
        auto const [end, error] =
            std::from_chars(entry.name.data(), entry.name.data() + entry.name.size(), pid);
        if (error != std::errc{} || end != entry.name.data() + entry.name.size()) {
            continue;
        }
        auto const its = namespace_of(entry.name);
        if (its.has_value() && *its == space) {
            found.push_back(pid);
        }
    }
    return found;
}

// The signal is sent, but a process that runs on another processor or is in a system call stops a
// little later.
bool goes_on(pid_t pid) {
    auto const text = sys::read_file(AT_FDCWD, fmt::format("/proc/{}/stat", pid).c_str(), 4096);
    if (!text.has_value()) {
        return false;  // it has ended
    }
    // "PID (NAME) STATE ...", where the name may have anything in it.
    auto const end = text->rfind(')');
    char const state = end != std::string::npos && end + 2 < text->size() ? (*text)[end + 2] : 'R';
    return std::string_view{"TtZX"}.find(state) == std::string_view::npos;
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
    std::string const space = OBLEA_TRY(namespace_of(std::to_string(init)));
    // A process may have forked before it was stopped: until a pass finds nothing new.
    for (int pass = 0; pass < kPassesMax; ++pass) {
        std::size_t const before = frozen.stopped_.size();
        for (pid_t const pid : OBLEA_TRY(processes_in(space))) {
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
