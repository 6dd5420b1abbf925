// SPDX-License-Identifier: MIT
#include "fs/fuse/light_workers.h"

#include "store/base/process_stat.h"

#include <fmt/format.h>
#include <poll.h>
#include <sched.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <string>

namespace oblea::fs {
namespace {

bool set_class(pid_t thread, int policy) noexcept {
    sched_param const none{};
    return ::sched_setscheduler(thread, policy, &none) == 0;
}

// Whether the thread could run and does not sleep.
bool is_runnable(std::string const& process) {
    return base::process_stat(process, base::kStatState) == "R";
}

}  // namespace

void Lightness::look(std::vector<Seen> const& seen) {
    bool starved = false;
    for (std::size_t i = 0; i < workers_.size(); ++i) {
        if (seen[i].answered) {
            workers_[i].quiet = 0;
        } else if (is_light(i) && seen[i].waits) {
            workers_[i].quiet = kQuietLooks;
            starved = starved || !seen[i].asker_runs;
        } else {
            workers_[i].quiet = std::min(workers_[i].quiet + 1, kQuietLooks);
        }
    }
    if (starved) {
        resting_ = next_rest_;
        next_rest_ = std::min(next_rest_ * 2, kRestLooksMax);
        good_ = 0;
    } else if (resting_ > 0) {
        --resting_;
    } else if (++good_ >= kGoodLooks) {
        next_rest_ = kRestLooks;
    }
}

bool Lightness::is_light(std::size_t worker) const {
    return resting_ == 0 && workers_[worker].quiet < kQuietLooks;
}

bool Lightness::may_sleep() const {
    return std::ranges::all_of(workers_,
                               [](Worker const& worker) { return worker.quiet == kQuietLooks; });
}

bool LightWorkers::possible() {
    bool comes_back = false;
    std::thread{[&comes_back] {
        comes_back = set_class(0, SCHED_IDLE) && set_class(0, SCHED_OTHER);
    }}.join();
    return comes_back && ::sched_getscheduler(0) == SCHED_OTHER;
}

void LightWorkers::start(std::size_t workers) {
    if (workers == 0) {
        return;
    }
    workers_ = std::vector<Worker>(workers);
    wake_ = base::UniqueFd{::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
    if (wake_.valid() && possible()) {
        watcher_ = std::thread{[this] { watch(); }};
    }
}

void LightWorkers::stop() {
    if (watcher_.joinable()) {
        ended_.store(true);
        std::uint64_t const one = 1;
        static_cast<void>(::write(wake_.get(), &one, sizeof(one)) == 0);
        watcher_.join();
    }
}

void LightWorkers::enter(std::size_t worker) noexcept {
    workers_[worker].thread.store(::gettid());
}

// Either this sees that the watcher sleeps, or the watcher sees the count before it does.
void LightWorkers::count(std::size_t worker, pid_t asker) noexcept {
    workers_[worker].asker.store(asker, std::memory_order_relaxed);
    workers_[worker].answered.fetch_add(1);
    if (asleep_.load() && asleep_.exchange(false)) {
        std::uint64_t const one = 1;
        static_cast<void>(::write(wake_.get(), &one, sizeof(one)) == 0);
    }
}

void LightWorkers::look(Lightness& lightness) {
    std::vector<Lightness::Seen> seen(workers_.size());
    for (std::size_t i = 0; i < workers_.size(); ++i) {
        Worker& worker = workers_[i];
        std::uint64_t const answered = worker.answered.load();
        seen[i].answered = answered != worker.answered_before;
        worker.answered_before = answered;
        seen[i].waits = worker.light && !seen[i].answered &&
                        is_runnable(fmt::format("self/task/{}", worker.thread.load()));
        seen[i].asker_runs = seen[i].waits && is_runnable(std::to_string(worker.asker.load()));
    }
    lightness.look(seen);
    for (std::size_t i = 0; i < workers_.size(); ++i) {
        Worker& worker = workers_[i];
        if (lightness.is_light(i) != worker.light) {
            worker.light = !worker.light;
            set_class(worker.thread.load(), worker.light ? SCHED_IDLE : SCHED_OTHER);
        }
    }
}

void LightWorkers::watch() {
    Lightness lightness{workers_.size()};
    while (!ended_.load()) {
        bool const may_sleep = lightness.may_sleep();
        bool const nothing_new = std::ranges::all_of(workers_, [](Worker const& worker) {
            return worker.answered.load() == worker.answered_before;
        });
        if (may_sleep && nothing_new && !asleep_.load()) {
            asleep_.store(true);
            continue;  // to see what was counted before that
        }
        pollfd waiting{.fd = wake_.get(), .events = POLLIN, .revents = 0};
        if (::poll(&waiting, 1, may_sleep && nothing_new ? -1 : static_cast<int>(kLook.count())) >
            0) {
            std::uint64_t count = 0;
            static_cast<void>(::read(wake_.get(), &count, sizeof(count)) == 0);
        }
        asleep_.store(false);
        look(lightness);
    }
    for (Worker& worker : workers_) {
        if (worker.light) {
            set_class(worker.thread.load(), SCHED_OTHER);
        }
    }
}

void be_ordinary() noexcept {
    if (::sched_getscheduler(0) == SCHED_IDLE) {
        set_class(0, SCHED_OTHER);
    }
    cpu_set_t all;
    std::memset(&all, 0xFF, sizeof(all));
    static_cast<void>(::sched_setaffinity(0, sizeof(all), &all));  // what is not there is left out
}

}  // namespace oblea::fs
