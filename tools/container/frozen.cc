// SPDX-License-Identifier: MIT
#include "tools/container/frozen.h"

#include "store/base/sys.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <csignal>
#include <ranges>

namespace oblea::tools {
namespace {

namespace sys = base::sys;

constexpr int kPassesMax = 100;

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
