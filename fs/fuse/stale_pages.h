// SPDX-License-Identifier: MIT
// Has the kernel drop pages of a file that it must not show any more, while a request about the
// file is under way.
//
// The kernel waits for pages that are locked, and a WRITE keeps those locked that it fills only in
// part until it is answered. So a thread of its own asks for it, and who needs the pages gone waits
// for that thread, but not for ever. Any thread.
#pragma once
#include "fs/types.h"
#include "store/base/mutex.h"

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <thread>

namespace oblea::fs {

// Of a file's bytes, [begin, end).
struct Stretch {
    std::uint64_t begin = 0, end = 0;
    bool operator==(Stretch const&) const = default;
};

class StalePages {
public:
    using Drop = std::function<void(Ino, Stretch)>;
    StalePages() = default;
    StalePages(StalePages const&) = delete;
    StalePages& operator=(StalePages const&) = delete;
    ~StalePages() { stop(); }

    // By `drop`, which waits for locked pages, called in the thread; this waits for it as long as
    // nobody can be waiting for the caller in turn.
    void drop(Ino ino, Stretch pages, Drop const& drop);
    // Ends the thread, which drop() starts.
    void stop();

private:
    struct Job {
        Ino ino;
        Stretch pages;
        Drop drop;
    };
    void work();

    base::Mutex mutex_;
    std::condition_variable more_;  // jobs, or the end
    std::condition_variable done_;
    std::deque<Job> jobs_ OBLEA_GUARDED_BY(mutex_);
    std::uint64_t asked_ OBLEA_GUARDED_BY(mutex_) = 0;  // counted from the first one on
    std::uint64_t dropped_ OBLEA_GUARDED_BY(mutex_) = 0;
    bool ended_ OBLEA_GUARDED_BY(mutex_) = false;
    std::thread thread_;
};

}  // namespace oblea::fs
