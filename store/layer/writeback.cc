// SPDX-License-Identifier: MIT
#include "store/layer/writeback.h"

#include "store/base/sys.h"

namespace oblea::store {

namespace sys = base::sys;

namespace {
// Each holds a descriptor. A disk that is further behind has enough to do.
constexpr std::size_t kWaitingMax = 64;
}  // namespace

void Writeback::start(int fd, std::uint64_t offset, std::uint64_t bytes) {
    if (threading_ == Threading::caller) {
        sys::start_writeback(fd, offset, bytes);
        return;
    }
    auto file = sys::duplicate(fd);
    if (!file.has_value()) {
        return;
    }
    {
        base::LockGuard const lock{mutex_};
        if (waiting_.size() >= kWaitingMax) {
            return;
        }
        waiting_.push_back({.file = *std::move(file), .offset = offset, .bytes = bytes});
        if (!thread_.joinable()) {
            thread_ = std::jthread{[this](std::stop_token const& stop) { work(stop); }};
        }
    }
    added_.notify_one();
}

void Writeback::forget() {
    base::LockGuard const lock{mutex_};
    waiting_.clear();
}

void Writeback::work(std::stop_token const& stop) {
    base::UniqueLock lock{mutex_};
    auto const has_work = [&] {
        mutex_.assert_held();
        return !waiting_.empty();
    };
    while (added_.wait(lock.for_wait(), stop, has_work)) {
        if (stop.stop_requested()) {
            return;
        }
        Range const range = std::move(waiting_.front());
        waiting_.pop_front();
        lock.unlock();
        sys::start_writeback(range.file.get(), range.offset, range.bytes);
        lock.lock();
    }
}

}  // namespace oblea::store
