// SPDX-License-Identifier: MIT
// Runs a function in a child process and sees each of its system calls that changes a file system,
// before it happens: to count them, to kill the process there, to let one fail, or to write them
// down.
//
// A seccomp filter stops the child at these calls, whichever library makes them and in whatever
// thread, so that none is missed; what could change files in other ways (io_uring, writable shared
// mappings of files) is refused, and counted as a fault of the test. x86_64 only.
#pragma once
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace oblea::test {

struct FsCall {
    std::string name;    // "renameat2"
    std::string path;    // absolute; of the file or folder that changes
    std::string target;  // of renames and links: the new name
    std::int64_t result = 0;

    // While recording, of calls that succeeded.
    std::uint64_t offset = 0;  // of writes
    std::uint64_t bytes = 0;   // of writes and truncations
    std::string data;          // what was written
    bool creates = false;      // an open that made the file or emptied it
    bool exchanges = false;    // renameat2 RENAME_EXCHANGE
};

struct TraceOptions {
    std::string below = {};  // calls that touch nothing below this folder are let pass uncounted
    std::optional<std::size_t> kill_at = {};  // the call of this number (from 0) does not happen
    std::optional<std::size_t> fail_at = {};  // the call of this number fails
    int fail_with = 0;                        // by this errno
    bool record = false;
};

struct TraceResult {
    enum class End { exited, killed, crashed } end = End::exited;
    int status = 0;  // of the exit, or the signal
    std::vector<FsCall> calls;
    std::vector<std::string> unseen;  // calls that could change files past the tracer
};

// `body` gives the exit status. Throws std::runtime_error when tracing itself does not work.
TraceResult run_traced(std::function<int()> const& body, TraceOptions const& options);

// Runs `body` in a child, untraced; its exit status.
int run_in_child(std::function<int()> const& body);

}  // namespace oblea::test
