// SPDX-License-Identifier: MIT
// Whether a program that opens a file is about to empty it, which the kernel does not tell.
//
// Opening with O_TRUNC sends an OPEN without that flag, and the truncation afterwards
// (negotiate.cc). The thread that opens stands still in the kernel until its OPEN is answered, dead
// or alive, and /proc/THREAD/syscall says in which system call it stands. If that call is an open
// with O_TRUNC, of a file for writing, nothing can come between the answer and the truncation but
// the end of the program or a security module that forbids it (SEMANTICS.md, D25).
//
// What could be taken for such a call, and is not (Linux 6.18):
// - Threads of the kernel that work for a program (io_uring) have a copy of the registers that it
//   happened to have when they were made; their stack and instruction pointers are zero.
// - io_uring opens a file at the end of whatever system call a program makes, but only with
//   O_NONBLOCK, and without O_TRUNC.
// - Programs of another word size have other numbers of system calls. None of those numbers opens
//   a file for writing there.
// - Registers changed by a debugger: it can do so only before the kernel looks at them.
// - A core dump begins in whatever system call the program was; it never opens a file that exists.
// - A file system stacked on this one opens our file for its own call. It empties it too, but for
//   those that keep something of their own in the file (eCryptfs).
//
// Spec: proc_pid_syscall(5). From any thread.
#pragma once
#include "store/base/unique_fd.h"

#include <sys/types.h>

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

namespace oblea::fs {

// What a thread that stands in the kernel asked it for.
struct SystemCall {
    std::int64_t number = -1;
    std::array<std::uint64_t, 6> arguments{};
    std::uint64_t stack = 0;
    std::uint64_t instruction = 0;
};

// nullopt: the thread runs, or is in no system call.
[[nodiscard]] std::optional<SystemCall> parse_system_call(std::string_view text);

// Whether a file that was opened by this call, with those flags in its OPEN, will be emptied next.
// Only on machines of which the above is known: x86-64 and 64-bit ARM.
[[nodiscard]] bool empties(SystemCall const& call, int open_flags);

class Openers {
public:
    // Sees nothing where /proc has not the same numbers as this process.
    Openers();
    // Whether `thread`, which waits for the answer to its OPEN with those flags, will empty the
    // file. False when in doubt, as when the thread may not be looked at.
    [[nodiscard]] bool will_empty(pid_t thread, int open_flags) const;

private:
    base::UniqueFd proc_;
};

}  // namespace oblea::fs
