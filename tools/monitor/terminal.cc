// SPDX-License-Identifier: MIT
#include "tools/monitor/terminal.h"

#include "store/base/sys.h"
#include "tools/monitor/standard_streams.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <optional>

namespace oblea::tools {
namespace {

namespace sys = base::sys;
using base::UniqueFd;

// Passes on what there is to read; false at the end. A terminal says EIO when its last user has
// gone.
Result<bool> pass(int from, int to) {
    std::array<std::byte, kStreamBytes> buffer{};
    auto const count = sys::read_some(from, buffer);
    if (!count.has_value() || *count == 0) {
        return false;
    }
    OBLEA_TRY(sys::write_all(to, base::ByteView{buffer}.first(*count)));
    return true;
}

bool is_readable(int fd) {
    pollfd waiting{.fd = fd, .events = POLLIN, .revents = 0};
    return ::poll(&waiting, 1, 0) > 0 && (waiting.revents & POLLIN) != 0;
}

}  // namespace

RawTerminal::RawTerminal() {
    if (::tcgetattr(STDIN_FILENO, &before_) == 0) {
        termios raw = before_;
        ::cfmakeraw(&raw);
        set_ = ::tcsetattr(STDIN_FILENO, TCSADRAIN, &raw) == 0;
    }
}

RawTerminal::~RawTerminal() {
    if (set_) {
        ::tcsetattr(STDIN_FILENO, TCSADRAIN, &before_);
    }
}

BlockedSignals::BlockedSignals(std::vector<int> const& numbers) {
    sigset_t set;
    ::sigemptyset(&set);
    for (int const number : numbers) {
        ::sigaddset(&set, number);
    }
    ::sigprocmask(SIG_BLOCK, &set, &before_);
    fd_ = UniqueFd{::signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK)};
}

BlockedSignals::~BlockedSignals() {
    ::sigprocmask(SIG_SETMASK, &before_, nullptr);
}

Result<PseudoTerminal> make_pseudo_terminal(UniqueFd multiplexer) {
    int const unlocked = 0;
    if (::ioctl(multiplexer.get(), TIOCSPTLCK, &unlocked) != 0) {
        return fail(sys::last_errno(), "ioctl", "pseudo terminal");
    }
    UniqueFd slave{::ioctl(multiplexer.get(), TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC)};
    if (!slave.valid()) {
        return fail(sys::last_errno(), "ioctl", "pseudo terminal");
    }
    return PseudoTerminal{.master = std::move(multiplexer), .slave = std::move(slave)};
}

Status take_terminal(UniqueFd const& slave) {
    ::setsid();
    if (::ioctl(slave.get(), TIOCSCTTY, 0) != 0) {
        return fail(sys::last_errno(), "ioctl", "controlling terminal");
    }
    for (int const stream : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
        if (::dup2(slave.get(), stream) < 0) {
            return fail(sys::last_errno(), "dup2");
        }
    }
    return {};
}

void copy_terminal_size(UniqueFd const& master) {
    winsize size{};
    if (::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0) {
        ::ioctl(master.get(), TIOCSWINSZ, &size);
    }
}

Result<int> relay_terminal(UniqueFd const& master, TerminalInput input, pid_t user) {
    BlockedSignals const signals{{SIGWINCH, SIGCHLD}};
    std::optional<RawTerminal> raw;
    if (input == TerminalInput::standard_input) {
        raw.emplace();
    }
    std::array<pollfd, 3> waiting{
        pollfd{.fd = master.get(), .events = POLLIN, .revents = 0},
        pollfd{.fd = signals.fd(), .events = POLLIN, .revents = 0},
        pollfd{.fd = raw.has_value() ? STDIN_FILENO : -1, .events = POLLIN, .revents = 0}};
    int status = 0;
    // It may have ended before its signal was waited for.
    while (::waitpid(user, &status, WNOHANG) != user) {
        if (::poll(waiting.data(), waiting.size(), -1) < 0) {
            continue;
        }
        if (waiting[0].revents != 0 && !OBLEA_TRY(pass(master.get(), STDOUT_FILENO))) {
            waiting[0].fd = -1;
        }
        signalfd_siginfo info{};
        while (::read(signals.fd(), &info, sizeof(info)) == sizeof(info)) {
            copy_terminal_size(master);
        }
        if (waiting[2].revents != 0 && !OBLEA_TRY(pass(STDIN_FILENO, master.get()))) {
            waiting[2].fd = -1;
        }
    }
    while (waiting[0].fd >= 0 && is_readable(master.get())) {
        if (!OBLEA_TRY(pass(master.get(), STDOUT_FILENO))) {
            break;
        }
    }
    return status;
}

}  // namespace oblea::tools
