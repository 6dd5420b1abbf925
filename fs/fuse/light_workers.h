// SPDX-License-Identifier: MIT
// Keeps a program on its processor while its requests are answered there.
//
// The scheduler rather wakes a program on an idle processor than on the one where the worker that
// answers is still running. Then the next request comes from the other processor, and so on: each
// request wakes two that sleep. A processor that runs nothing but threads of the class SCHED_IDLE
// counts as idle itself, so a worker of that class (a light one) lets the program stay, and both
// take turns on one processor.
//
// Where all processors are busy, a light worker would starve. So a watcher looks at each of them
// every kLook while requests come. One that waits for its processor is put back into the ordinary
// class, until it has answered something. If it is not the program that asked last which runs
// instead, then the machine is busy: none is light for a while, which doubles each time.
#pragma once
#include "store/base/unique_fd.h"

#include <sys/types.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <thread>
#include <vector>

namespace oblea::fs {

// Which workers are light. Pure; for one thread.
class Lightness {
public:
    explicit Lightness(std::size_t workers) : workers_(workers) {}

    // What was seen of a worker since the last look.
    struct Seen {
        bool answered = false;    // a request or more
        bool waits = false;       // for a processor, now
        bool asker_runs = false;  // the program that it answered last does, or could
    };
    // One look at all of them; then is_light() says what they should be.
    void look(std::vector<Seen> const& seen);
    [[nodiscard]] bool is_light(std::size_t worker) const;
    // Whether there is nothing to look at until a request comes.
    [[nodiscard]] bool may_sleep() const;

    static constexpr unsigned kQuietLooks = 25;       // a worker that answers nothing stays light
    static constexpr unsigned kRestLooks = 12;        // none is light after one has starved
    static constexpr unsigned kRestLooksMax = 16000;  // after many times
    static constexpr unsigned kGoodLooks = 500;       // and it is forgotten

private:
    struct Worker {
        unsigned quiet = kQuietLooks;  // looks since it answered; or kQuietLooks when it waits
    };
    std::vector<Worker> workers_;
    unsigned resting_ = 0;
    unsigned next_rest_ = kRestLooks;
    unsigned good_ = 0;
};

// The workers of one server.
class LightWorkers {
public:
    LightWorkers() = default;
    LightWorkers(LightWorkers const&) = delete;
    LightWorkers& operator=(LightWorkers const&) = delete;
    ~LightWorkers() { stop(); }

    // Whether this process may put a thread back into the ordinary class, which needs CAP_SYS_NICE.
    static bool possible();

    // Before the workers begin. No worker is ever light where that is not possible.
    void start(std::size_t workers);
    // While they still run, so that no number of a thread that has ended is used: they are ordinary
    // then.
    void stop();

    // By each worker: once, and for each request.
    void enter(std::size_t worker) noexcept;
    void count(std::size_t worker, pid_t asker) noexcept;

    static constexpr std::chrono::milliseconds kLook{4};

private:
    struct alignas(64) Worker {
        std::atomic<pid_t> thread{0};
        std::atomic<pid_t> asker{0};
        std::atomic<std::uint64_t> answered{0};
        std::uint64_t answered_before = 0;  // the watcher's
        bool light = false;                 // the watcher's
    };
    void watch();
    void look(Lightness& lightness);

    std::vector<Worker> workers_;
    base::UniqueFd wake_;  // eventfd
    std::atomic<bool> asleep_{false};
    std::atomic<bool> ended_{false};
    std::thread watcher_;
};

// For a thread that a worker of a ring starts: of the ordinary class, on any processor.
void be_ordinary() noexcept;

}  // namespace oblea::fs
