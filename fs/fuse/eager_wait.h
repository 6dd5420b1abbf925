// SPDX-License-Identifier: MIT
// Waiting awake for the next request.
//
// A program that works through names asks, gets its answer and asks again within microseconds. A
// server that sleeps in read(2) in between is woken for every request, and that costs more than
// most answers do. So one worker at a time looks for the next request for a moment before it goes
// to sleep, as long as requests have come in that time lately.
#pragma once
#include <atomic>
#include <chrono>

namespace oblea::fs {

// When waiting awake is worth its time. Pure; for one thread at a time.
class Eagerness {
public:
    // Whether the wait that begins now should be awake. When it has not been worth it, one wait in
    // kProbeEvery is, to find out whether that has changed.
    [[nodiscard]] bool wants_to_watch() noexcept;
    // Whether a request came while one was awake.
    void learn(bool came) noexcept;

    static constexpr unsigned kProbeEvery = 64;

private:
    static constexpr int kCreditMax = 16;
    static constexpr int kPriceOfNothing = 2;  // worth it if two waits in three end in time
    int credit_ = kCreditMax;
    unsigned since_probe_ = 0;
};

// Shared by the workers of one server; safe for all of them.
class EagerWait {
public:
    // On one processor a program could not ask while the server watches.
    explicit EagerWait(unsigned processors) noexcept : useful_(processors > 1) {}

    // Returns at once if another worker watches `device` or it is not worth it; else when a request
    // is there or kLongest has passed. Either way read(2) comes next.
    void watch(int device) noexcept;

    // Longer than most programs take between two requests, and too short to be noticed by others.
    static constexpr std::chrono::microseconds kLongest{30};

private:
    bool useful_;
    std::atomic<bool> watched_{false};  // whoever sets it has eagerness_
    Eagerness eagerness_;
};

}  // namespace oblea::fs
