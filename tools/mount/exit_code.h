// SPDX-License-Identifier: MIT
// What a process says when it ends: oblea's own words, and those of who passes on another
// program's.
#pragma once
#include <sys/wait.h>

namespace oblea::tools::exit_code {

inline constexpr int kSuccess = 0;
inline constexpr int kFailure = 1;
inline constexpr int kUsage = 2;
inline constexpr int kInternal = 70;
// Of commands that pass on another program's status.
inline constexpr int kOwnFailure = 125;
inline constexpr int kNotExecutable = 126;
inline constexpr int kNotFound = 127;
inline constexpr int kSignalBase = 128;

// `status` is as waitpid(2) has it, of a process that has ended.
[[nodiscard]] inline int of_wait_status(int status) {
    return WIFSIGNALED(status) ? kSignalBase + WTERMSIG(status) : WEXITSTATUS(status);
}

}  // namespace oblea::tools::exit_code
