// SPDX-License-Identifier: MIT
// The user's terminal, and pseudo terminals for those who run in containers.
#pragma once
#include "store/base/error.h"
#include "store/base/unique_fd.h"

#include <signal.h>
#include <sys/types.h>
#include <termios.h>

#include <vector>

namespace oblea::tools {

// The user's terminal hands every key on, for as long as this lives.
class RawTerminal {
public:
    RawTerminal();
    RawTerminal(RawTerminal const&) = delete;
    RawTerminal& operator=(RawTerminal const&) = delete;
    ~RawTerminal();

private:
    termios before_{};
    bool set_ = false;
};

// Signals that are read from a descriptor, for as long as this lives.
class BlockedSignals {
public:
    explicit BlockedSignals(std::vector<int> const& numbers);
    BlockedSignals(BlockedSignals const&) = delete;
    BlockedSignals& operator=(BlockedSignals const&) = delete;
    ~BlockedSignals();
    [[nodiscard]] int fd() const { return fd_.get(); }

private:
    sigset_t before_{};
    base::UniqueFd fd_;
};

struct PseudoTerminal {
    base::UniqueFd master;
    base::UniqueFd slave;
};
// Of the file system whose /dev/pts/ptmx `multiplexer` is, opened for reading and writing.
Result<PseudoTerminal> make_pseudo_terminal(base::UniqueFd multiplexer);

// Makes it the terminal and the three standard streams of this process, in a session of its own.
Status take_terminal(base::UniqueFd const& slave);

// Passes on between this process's standard streams and the terminal, and its size, until the
// child `user` of it has ended; its status as waitpid(2) has it.
enum class TerminalInput { none, standard_input };
Result<int> relay_terminal(base::UniqueFd const& master, TerminalInput input, pid_t user);
// What the standard output has; none when it is no terminal.
void copy_terminal_size(base::UniqueFd const& master);

}  // namespace oblea::tools
