// SPDX-License-Identifier: MIT
// Has the kernel begin to write files out while an import goes on, so that the sync at its end
// finds little to do.
//
// Asking for it waits whenever the disk has enough to do, which is why a thread of its own asks. It
// is advice: what cannot be asked soon is not asked, and faults are reported by the sync. Safe from
// any thread.
#pragma once
#include "store/base/mutex.h"
#include "store/base/unique_fd.h"
#include "store/layer/read_ahead.h"

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <thread>

namespace oblea::store {

class Writeback {
public:
    // With Threading::caller start() asks by itself.
    explicit Writeback(Threading threading) : threading_(threading) {}
    Writeback(Writeback const&) = delete;
    Writeback& operator=(Writeback const&) = delete;

    // `fd` may be closed afterwards.
    void start(int fd, std::uint64_t offset, std::uint64_t bytes);
    // Forgets what was not asked yet, for who is about to sync it all.
    void forget();

private:
    struct Range {
        base::UniqueFd file;
        std::uint64_t offset = 0;
        std::uint64_t bytes = 0;
    };
    void work(std::stop_token const& stop);

    Threading const threading_;
    base::Mutex mutex_;
    std::condition_variable_any added_;
    std::deque<Range> waiting_ OBLEA_GUARDED_BY(mutex_);
    std::jthread thread_;  // last: it ends before what it uses is gone
};

}  // namespace oblea::store
