// SPDX-License-Identifier: MIT
// Not built: compiled by thread_safety.sh as it is, which must be silent, and with one mistake each
// (MISTAKE=1, 2, ...), which clang must find.
#include "store/base/mutex.h"

#include <condition_variable>

using namespace oblea::base;

struct Counter {
    Mutex mutex;
    std::condition_variable changed;
    int value OBLEA_GUARDED_BY(mutex) = 0;

    void add() OBLEA_REQUIRES(mutex) { ++value; }
    int wait_for_one() {
        UniqueLock lock{mutex};
        changed.wait(lock.for_wait(), [&] {
            mutex.assert_held();
            return value > 0;
        });
        lock.unlock();
#if MISTAKE == 1
        return value;
#endif
        lock.lock();
        return value;
    }
    int read() {
#if MISTAKE != 2
        LockGuard const lock{mutex};
#endif
        return value;
    }
    void add_two() {
#if MISTAKE != 3
        LockGuard const lock{mutex};
#endif
        add();
        add();
    }
};

struct Shared {
    SharedMutex mutex;
    int value OBLEA_GUARDED_BY(mutex) = 0;

    int read() {
        SharedLock const lock{mutex};
#if MISTAKE == 4
        ++value;
#endif
        return value;
    }
    void set(int to) {
        LockGuard const lock{mutex};
        value = to;
    }
};
