// SPDX-License-Identifier: MIT
#include "fs/fuse/ask_queues.h"

#include "store/base/sys.h"

#include <sched.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <limits>

namespace oblea::fs {
namespace {

// In a process forked from one that has threads: system calls alone.
[[noreturn]] void ask(char const* mount_point, unsigned processors) {
    // It may wait for long, and must not keep what the server has open. (glibc 2.34 has the name.)
    ::syscall(SYS_close_range, 0U, std::numeric_limits<unsigned>::max(), 0U);
    // The worker that forked may be one that runs when nobody else wants to (LightWorkers).
    sched_param const usual{};
    static_cast<void>(::sched_setscheduler(0, SCHED_OTHER, &usual));
    for (unsigned processor = 0; processor < processors; ++processor) {
        cpu_set_t only;
        CPU_ZERO(&only);
        CPU_SET(processor, &only);
        // A queue's requests come from its processor. One that is not there asks for nothing.
        static_cast<void>(::sched_setaffinity(0, sizeof(only), &only));
        struct statfs figures{};
        static_cast<void>(::statfs(mount_point, &figures));  // to have asked is all
    }
    ::_exit(0);
}

}  // namespace

Status ask_queues(std::string const& mount_point, unsigned processors) {
    pid_t const between = ::fork();
    if (between < 0) {
        return fail(base::sys::last_errno(), "fork");
    }
    if (between == 0) {
        pid_t const asker = ::fork();
        if (asker == 0) {
            ask(mount_point.c_str(), processors);
        }
        ::_exit(asker < 0 ? errno : 0);
    }
    int status = 0;
    while (::waitpid(between, &status, 0) < 0 && base::sys::last_errno() == Errno::eintr) {
    }
    return WIFEXITED(status) && WEXITSTATUS(status) == 0
               ? Status{}
               : fail(Errno{WIFEXITED(status) ? WEXITSTATUS(status) : EAGAIN}, "fork");
}

}  // namespace oblea::fs
