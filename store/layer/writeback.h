// SPDX-License-Identifier: MIT
// Has the kernel begin to write files out while an import goes on, so that the sync at its end
// finds little to do.
//
// Asking for it waits whenever the disk has enough to do, which is why a thread of its own asks. It
// is advice: what cannot be asked soon is not asked. Now and then a file is also synced, for the
// disk to empty its cache: one that is large, such as the host's below a virtual disk, would else
// be emptied at the end, and waited for. Safe from any thread.
#pragma once
#include "store/base/error.h"
#include "store/base/mutex.h"
#include "store/base/unique_fd.h"
#include "store/layer/read_ahead.h"

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <optional>
#include <thread>

namespace oblea::store {

class Writeback {
public:
    // Seldom enough to cost next to nothing; the last sync finds no more than this left.
    static constexpr std::uint64_t kSyncStepBytes = 64U << 20U;

    // With Threading::caller start() does it all by itself, in the order in which it is called.
    explicit Writeback(Threading threading, std::uint64_t sync_step_bytes = kSyncStepBytes)
        : threading_(threading), sync_step_bytes_(sync_step_bytes) {}
    Writeback(Writeback const&) = delete;
    Writeback& operator=(Writeback const&) = delete;

    // `fd` may be closed afterwards.
    void start(int fd, std::uint64_t offset, std::uint64_t bytes);
    // Forgets what was not asked yet, for who is about to sync it all.
    void forget();
    // The same, and waits for what is under way. Errors: those of its syncs, now and at later
    // calls; the kernel tells them once, so that who syncs the files may not hear of them.
    Status finish();

private:
    struct Range {
        base::UniqueFd file;
        std::uint64_t offset = 0;
        std::uint64_t bytes = 0;
    };
    void work(std::stop_token const& stop);
    void write_out(int fd, std::uint64_t offset, std::uint64_t bytes);

    Threading const threading_;
    std::uint64_t const sync_step_bytes_;
    base::Mutex mutex_;
    std::condition_variable_any added_;
    std::deque<Range> waiting_ OBLEA_GUARDED_BY(mutex_);
    std::optional<Error> failure_ OBLEA_GUARDED_BY(mutex_);
    std::uint64_t unsynced_ OBLEA_GUARDED_BY(mutex_) = 0;  // bytes asked for since the last sync
    std::jthread thread_;  // last: it ends before what it uses is gone
};

// Of one file that grows from its beginning on: in steps that are long enough for long extents. Not
// thread-safe.
class SteadyWriteback {
public:
    // Borrowed; null where nothing is to be asked.
    explicit SteadyWriteback(Writeback* writeback) : writeback_(writeback) {}

    void has_grown(int fd, std::uint64_t bytes);

private:
    Writeback* writeback_;
    std::uint64_t sent_ = 0;  // of the file
};

}  // namespace oblea::store
