// SPDX-License-Identifier: MIT
// A mount outlives the process that serves it: who holds it starts another one.
#pragma once
#include "fs/fuse/server.h"
#include "tools/mount/stop_signals.h"

#include <functional>

namespace oblea::tools {

// Whether a process is the first to serve a mount, or has to find out what its predecessor knew.
enum class First { no, yes };

struct ServerProcesses {
    // Starts one, as a child of this process.
    std::function<Result<ServerProcess>(First, fs::Server::Crashed)> start;
    // At kUpgradeSignal, when the one that served has ended: the next ones are another program's.
    // Empty: the program stays.
    std::function<void()> upgrade{};
};

// Serves `server`'s mount until it has ended, in one child process after the other: when one dies,
// the next one takes over and programs that use the mount go on. This process holds what they share
// and does nothing else; it must have one thread. Errors: what a child ended with is told on
// standard error; EIO when one died and there can be no other.
Status keep_serving(fs::Server const& server, StopSignals& signals,
                    ServerProcesses const& processes);

// For `start`: forks. The child ends when this process does, if this one ends with its own parent.
// `serve` must not return.
Result<ServerProcess> fork_server(std::function<void()> const& serve);

// A holder that ends with its own parent, as that of a container's mount does, is followed by its
// server: without it that would serve a namespace that it keeps alive itself. Where the holder is
// nobody's, the server goes on without it.
class EndOfHolder {
public:
    EndOfHolder();  // in the holder

    void inherit() const;  // in the child

private:
    int signal_ = 0;
    pid_t holder_;
};

// Says in the server's log, which is standard error, why something failed.
void log_end(Status const& ended);

}  // namespace oblea::tools
