// SPDX-License-Identifier: MIT
// Turns signals that ask a server to end into a clean unmount, and the one that asks its holder for
// another program.
#pragma once
#include "fs/fuse/server.h"
#include "store/base/unique_fd.h"

#include <sys/types.h>

#include <csignal>
#include <functional>
#include <vector>

namespace oblea::tools {

// To the process that holds a mount: end the one that serves it, and start the next one anew from
// the program's file.
inline constexpr int kUpgradeSignal = SIGUSR2;

// A child of this process.
struct ServerProcess {
    pid_t pid = -1;
    base::UniqueFd life{};  // LifeLine::holders; may be missing
};

enum class Hangup {
    ends,  // a foreground server ends with its terminal
    is_ignored,
};

// Made before anything is mounted: from then on the signals wait until a server runs. Its threads
// inherit that, and a thread of this object alone receives them.
class StopSignals {
public:
    explicit StopSignals(Hangup hangup);
    StopSignals(StopSignals const&) = delete;
    StopSignals& operator=(StopSignals const&) = delete;
    ~StopSignals();

    // Server::run(), stopped by the signals. `orphaned` is called, by another thread, if the parent
    // of this process ends meanwhile.
    Status run(fs::Server& server, std::function<void()> const& orphaned);

    struct Ended {
        int status = 0;  // as waitpid(2) has it
        bool upgrade = false;
    };
    // Waits for a child of this process to end and passes the signals on to it, and to the next one
    // what comes too late. Upgrade: it was killed because kUpgradeSignal came, and nothing asks for
    // the end.
    // A server that holds its life line has ended when that says so and its threads were given time
    // to end too. One that has not cannot be waited for with waitpid(2): a later call does that.
    Result<Ended> wait_for(ServerProcess const& child);

private:
    struct Late {
        pid_t pid;
        base::UniqueFd process;
    };
    Result<int> status_of_ended(ServerProcess const& child);
    void watch(fs::Server& server, int parent, std::function<void()> const& orphaned) const;

    sigset_t before_{};
    base::UniqueFd signals_;
    base::UniqueFd end_;
    bool stopping_ = false;   // a child was asked to end
    std::vector<Late> late_;  // children that have ended but for a thread
};

}  // namespace oblea::tools
