// SPDX-License-Identifier: MIT
// Collects the progress of layers that are imported side by side, and tells it some times a second.
//
// Adding and changing slots is safe from any thread; a slot lives as long as the board.
#pragma once
#include "store/base/mutex.h"
#include "store/image/import_image.h"

#include <atomic>
#include <condition_variable>
#include <deque>
#include <functional>
#include <thread>

namespace oblea::store {

class ProgressBoard {
public:
    struct Slot {
        std::string id;
        std::uint64_t total_bytes = 0;
        std::atomic<ImportProgress::State> state{ImportProgress::State::waiting};
        std::atomic<std::uint64_t> bytes{0};
    };

    explicit ProgressBoard(std::function<void(ImportProgress const&)> const& tell);
    ProgressBoard(ProgressBoard const&) = delete;
    ProgressBoard& operator=(ProgressBoard const&) = delete;
    ~ProgressBoard();  // tells the last state

    Slot& add(std::string id, std::uint64_t total_bytes);

private:
    [[nodiscard]] ImportProgress snapshot();
    void run(std::stop_token const& stop);

    std::function<void(ImportProgress const&)> const& tell_;
    base::Mutex mutex_;
    std::deque<Slot> slots_ OBLEA_GUARDED_BY(mutex_);
    std::condition_variable_any wake_;
    std::jthread teller_;  // last: it uses all of the above
};

}  // namespace oblea::store
