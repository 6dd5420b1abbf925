// SPDX-License-Identifier: MIT
// Turns signals that ask a server to end into a clean unmount.
#pragma once
#include "fs/fuse/server.h"
#include "store/base/unique_fd.h"

#include <csignal>
#include <thread>

namespace oblea::tools {

enum class Hangup {
    ends,  // a foreground server ends with its terminal
    is_ignored,
};

// Must exist before the server's threads do: they inherit the blocked signals, and a thread of this
// object alone receives them.
class StopSignals {
public:
    StopSignals(fs::Server& server, Hangup hangup);
    StopSignals(StopSignals const&) = delete;
    StopSignals& operator=(StopSignals const&) = delete;
    ~StopSignals();

private:
    void watch(fs::Server& server) const;

    sigset_t before_{};
    base::UniqueFd signals_;
    base::UniqueFd end_;
    std::thread watcher_;
};

}  // namespace oblea::tools
