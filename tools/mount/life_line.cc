// SPDX-License-Identifier: MIT
#include "tools/mount/life_line.h"

#include "store/base/sys.h"
#include "tools/mount/background.h"

#include <fcntl.h>
#include <sched.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <future>
#include <system_error>
#include <thread>
#include <utility>

namespace oblea::tools {

namespace sys = base::sys;

Result<LifeLine> LifeLine::make() {
    std::array<int, 2> ends{};
    if (::pipe2(ends.data(), O_CLOEXEC) != 0) {
        return fail(sys::last_errno(), "pipe2");
    }
    return LifeLine{.holders = base::UniqueFd{ends[0]}, .servers = base::UniqueFd{ends[1]}};
}

Status hold_life_line(base::UniqueFd servers) {
    std::promise<Status> kept;
    auto result = kept.get_future();
    try {
        std::thread{[kept = std::move(kept), life = servers.get()]() mutable {
            sigset_t all;
            ::sigfillset(&all);
            ::pthread_sigmask(SIG_BLOCK, &all, nullptr);
            if (::unshare(CLONE_FILES) != 0) {
                kept.set_value(fail(sys::last_errno(), "unshare"));
                return;
            }
            close_all_but({life});
            kept.set_value({});
            for (;;) {
                ::pause();
            }
        }}.detach();
    } catch (std::system_error const& failed) {
        return fail(Errno::eagain, "thread", failed.what());
    }
    return result.get();
}

}  // namespace oblea::tools
