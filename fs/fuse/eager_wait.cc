// SPDX-License-Identifier: MIT
#include "fs/fuse/eager_wait.h"

#include <poll.h>

#include <algorithm>

namespace oblea::fs {
namespace {

bool is_readable(int device) {
    pollfd waiting{.fd = device, .events = POLLIN, .revents = 0};
    return ::poll(&waiting, 1, 0) != 0;  // an error, too, is for read(2) to tell
}

bool comes_within(int device, std::chrono::microseconds longest) {
    auto const until = std::chrono::steady_clock::now() + longest;
    do {
        if (is_readable(device)) {
            return true;
        }
    } while (std::chrono::steady_clock::now() < until);
    return false;
}

}  // namespace

bool Eagerness::wants_to_watch() noexcept {
    if (credit_ > 0) {
        return true;
    }
    since_probe_ = (since_probe_ + 1) % kProbeEvery;
    return since_probe_ == 0;
}

void Eagerness::learn(bool came) noexcept {
    credit_ = std::clamp(credit_ + (came ? 1 : -kPriceOfNothing), 0, kCreditMax);
}

void EagerWait::watch(int device) noexcept {
    if (!useful_ || watched_.exchange(true, std::memory_order_acquire)) {
        return;
    }
    if (eagerness_.wants_to_watch()) {
        eagerness_.learn(comes_within(device, kLongest));
    }
    watched_.store(false, std::memory_order_release);
}

}  // namespace oblea::fs
