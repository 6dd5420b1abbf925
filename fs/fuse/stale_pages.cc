// SPDX-License-Identifier: MIT
#include "fs/fuse/stale_pages.h"

#include "fs/fuse/light_workers.h"
#include "fs/fuse/ring_slot.h"

#include <chrono>
#include <utility>

namespace oblea::fs {
namespace {

// Dropping takes microseconds. Only where a page is locked by the request of the caller itself it
// takes as long as the caller waits: then that page was read anew, and is not a stale one.
constexpr std::chrono::milliseconds kPatience{100};

}  // namespace

void StalePages::drop(Ino ino, Stretch pages, Drop const& drop) {
    base::UniqueLock lock{mutex_};
    if (!thread_.joinable()) {
        ended_ = false;
        // A worker of a ring hands on its class and its processor.
        thread_ = std::thread{[this, by_ring = RingSlot::current != nullptr] {
            if (by_ring) {
                be_ordinary();
            }
            work();
        }};
    }
    jobs_.push_back({.ino = ino, .pages = pages, .drop = drop});
    std::uint64_t const mine = ++asked_;
    more_.notify_one();
    done_.wait_for(lock.for_wait(), kPatience, [&] {
        mutex_.assert_held();
        return dropped_ >= mine;
    });
}

void StalePages::work() {
    base::UniqueLock lock{mutex_};
    for (;;) {
        more_.wait(lock.for_wait(), [&] {
            mutex_.assert_held();
            return ended_ || !jobs_.empty();
        });
        if (jobs_.empty()) {
            return;
        }
        Job const job = std::move(jobs_.front());
        jobs_.pop_front();
        lock.unlock();
        job.drop(job.ino, job.pages);
        lock.lock();
        ++dropped_;
        done_.notify_all();
    }
}

void StalePages::stop() {
    {
        base::LockGuard const lock{mutex_};
        ended_ = true;
    }
    more_.notify_one();
    if (thread_.joinable()) {
        thread_.join();
    }
}

}  // namespace oblea::fs
