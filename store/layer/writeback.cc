// SPDX-License-Identifier: MIT
#include "store/layer/writeback.h"

#include "store/base/sys.h"

namespace oblea::store {

namespace sys = base::sys;

namespace {
// Each holds a descriptor. A disk that is further behind has enough to do.
constexpr std::size_t kWaitingMax = 64;
constexpr std::uint64_t kSteadyStep = 8U << 20U;
}  // namespace

void Writeback::start(int fd, std::uint64_t offset, std::uint64_t bytes) {
    if (threading_ == Threading::caller) {
        write_out(fd, offset, bytes);
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

Status Writeback::finish() {
    std::jthread ending;
    {
        base::LockGuard const lock{mutex_};
        waiting_.clear();
        ending = std::move(thread_);
    }
    if (ending.joinable()) {
        ending.request_stop();
        ending.join();
    }
    base::LockGuard const lock{mutex_};
    return failure_.has_value() ? Status{std::unexpected<Error>(*failure_)} : Status{};
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
        write_out(range.file.get(), range.offset, range.bytes);
        lock.lock();
    }
}

void Writeback::write_out(int fd, std::uint64_t offset, std::uint64_t bytes) {
    sys::start_writeback(fd, offset, bytes);
    {
        base::LockGuard const lock{mutex_};
        unsynced_ += bytes;
        if (unsynced_ < sync_step_bytes_) {
            return;
        }
        unsynced_ = 0;
    }
    auto synced = with_context(sys::fdatasync(fd), [] { return "a file of the import"; });
    base::LockGuard const lock{mutex_};
    if (!synced.has_value() && !failure_.has_value()) {
        failure_ = std::move(synced).error();
    }
}

void SteadyWriteback::has_grown(int fd, std::uint64_t bytes) {
    if (writeback_ != nullptr && bytes - sent_ >= kSteadyStep) {
        writeback_->start(fd, sent_, bytes - sent_);
        sent_ = bytes;
    }
}

}  // namespace oblea::store
