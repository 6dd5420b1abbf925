// SPDX-License-Identifier: MIT
#include "tools/cli/interrupt.h"

#include <array>
#include <csignal>

namespace oblea::tools {

namespace {

constexpr std::array kSignals{SIGINT, SIGTERM, SIGHUP};

// A signal handler can reach nothing else than globals.
std::atomic<bool> interrupted{false};
std::atomic<int> interrupted_by{0};
static_assert(std::atomic<bool>::is_always_lock_free && std::atomic<int>::is_always_lock_free);

std::array<struct sigaction, kSignals.size()>& saved_actions() {
    static std::array<struct sigaction, kSignals.size()> actions{};
    return actions;
}

void note_signal(int number) {
    interrupted_by.store(number);
    interrupted.store(true);
}

}  // namespace

Interrupt::Interrupt() {
    for (std::size_t i = 0; i < kSignals.size(); ++i) {
        struct sigaction action{};
        action.sa_handler = note_signal;
        // Once only: whoever asks twice does not want to wait. No SA_RESTART, so that a read that
        // waits for input ends.
        action.sa_flags = static_cast<int>(SA_RESETHAND);
        ::sigaction(kSignals.at(i), nullptr, &saved_actions().at(i));
        // nohup and shells' background jobs ignore signals on purpose.
        if (saved_actions().at(i).sa_handler != SIG_IGN) {
            ::sigaction(kSignals.at(i), &action, nullptr);
        }
    }
}

Interrupt::~Interrupt() {
    for (std::size_t i = 0; i < kSignals.size(); ++i) {
        ::sigaction(kSignals.at(i), &saved_actions().at(i), nullptr);
    }
}

std::atomic<bool> const& Interrupt::flag() const {
    return interrupted;
}

int Interrupt::signal_number() {
    return interrupted_by.load();
}

}  // namespace oblea::tools
