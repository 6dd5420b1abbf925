// SPDX-License-Identifier: MIT
#include "store/image/progress_board.h"

#include <chrono>
#include <mutex>

namespace oblea::store {

namespace {
constexpr std::chrono::milliseconds kInterval{100};
}

ProgressBoard::ProgressBoard(std::function<void(ImportProgress const&)> const& tell) : tell_(tell) {
    if (tell_) {
        teller_ = std::jthread{[this](std::stop_token const& stop) { run(stop); }};
    }
}

ProgressBoard::~ProgressBoard() {
    if (teller_.joinable()) {
        teller_.request_stop();
        teller_.join();
        tell_(snapshot());
    }
}

ProgressBoard::Slot& ProgressBoard::add(std::string id, std::uint64_t total_bytes) {
    base::LockGuard const guard{mutex_};
    Slot& slot = slots_.emplace_back();
    slot.id = std::move(id);
    slot.total_bytes = total_bytes;
    return slot;
}

ImportProgress ProgressBoard::snapshot() {
    base::LockGuard const guard{mutex_};
    ImportProgress progress;
    for (Slot const& slot : slots_) {
        progress.layers.push_back({slot.id, slot.state, slot.bytes, slot.total_bytes});
    }
    return progress;
}

void ProgressBoard::run(std::stop_token const& stop) {
    std::mutex idle;
    std::unique_lock lock{idle};
    while (!wake_.wait_for(lock, stop, kInterval, [&] { return stop.stop_requested(); })) {
        tell_(snapshot());
    }
}

}  // namespace oblea::store
