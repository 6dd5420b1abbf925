// SPDX-License-Identifier: MIT
// Runs tests of this program once more as a user without rights.
#pragma once
#include <fcntl.h>
#include <grp.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <string>

namespace oblea::test {

inline constexpr uid_t kNobody = 65534;

// The exit status of this program, run by nobody with the given selection of test cases; 0 when we
// are no root (then the tests run without rights anyway).
inline int run_as_nobody(std::string selection) {
    if (::geteuid() != 0) {
        return 0;
    }
    // By descriptor: the folder of the program may be closed to others.
    int const program = ::open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    if (program < 0) {
        return 127;
    }
    pid_t const child = ::fork();
    if (child == 0) {
        if (::chdir("/") != 0 || ::setgroups(0, nullptr) != 0 ||
            ::setresgid(kNobody, kNobody, kNobody) != 0 ||
            ::setresuid(kNobody, kNobody, kNobody) != 0) {
            ::_exit(126);
        }
        std::string name = "tests as nobody";
        char* const arguments[] = {name.data(), selection.data(), nullptr};
        ::fexecve(program, arguments, ::environ);
        ::_exit(127);
    }
    ::close(program);
    int status = 0;
    if (child < 0 || ::waitpid(child, &status, 0) != child || !WIFEXITED(status)) {
        return 125;
    }
    return WEXITSTATUS(status);
}

}  // namespace oblea::test
