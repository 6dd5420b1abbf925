// SPDX-License-Identifier: MIT
// Ctrl-C as a question instead of an end: long work sees a flag and unwinds normally.
//
// One Interrupt exists at a time, in main's thread. While it does, the first SIGINT, SIGTERM or
// SIGHUP sets the flag; a second one of the same kind ends the process as usual.
#pragma once
#include <atomic>

namespace oblea::tools {

class Interrupt {
public:
    Interrupt();
    Interrupt(Interrupt const&) = delete;
    Interrupt& operator=(Interrupt const&) = delete;
    ~Interrupt();  // what was set before is set again

    [[nodiscard]] std::atomic<bool> const& flag() const;
    [[nodiscard]] static int signal_number();  // of the signal that came; 0: none
};

}  // namespace oblea::tools
