// SPDX-License-Identifier: MIT
// Mutexes, and the locks on them, that a compiler can check: `scripts/check --thread-safety` proves
// with clang that what is guarded by a mutex is touched by those alone who hold it.
//
// Thin over the standard ones, which say nothing to clang. A member that a mutex guards says so
// (OBLEA_GUARDED_BY), a function that is called with one held too (OBLEA_REQUIRES). What clang
// cannot follow, a function that is called by another one under a lock of ours, begins with
// assert_held(), which costs nothing and promises it. Locks that guard no data of their own, and
// are taken by number, are std::shared_mutex still (fs/lock_stripes.h).
// Spec: clang, "Thread Safety Analysis".
#pragma once
#include <mutex>
#include <shared_mutex>

#if defined(__clang__)
#define OBLEA_THREAD_SAFETY(attribute) __attribute__((attribute))
#else
#define OBLEA_THREAD_SAFETY(attribute)
#endif
#define OBLEA_GUARDED_BY(mutex) OBLEA_THREAD_SAFETY(guarded_by(mutex))
#define OBLEA_REQUIRES(...) OBLEA_THREAD_SAFETY(requires_capability(__VA_ARGS__))

namespace oblea::base {

class OBLEA_THREAD_SAFETY(capability("mutex")) Mutex {
public:
    void lock() OBLEA_THREAD_SAFETY(acquire_capability()) { mutex_.lock(); }
    void unlock() OBLEA_THREAD_SAFETY(release_capability()) { mutex_.unlock(); }
    // The caller holds it, in a way that the compiler does not see.
    void assert_held() const OBLEA_THREAD_SAFETY(assert_capability(this)) {}

private:
    friend class UniqueLock;
    std::mutex mutex_;
};

// Held by one, or shared by many.
class OBLEA_THREAD_SAFETY(capability("mutex")) SharedMutex {
public:
    void lock() OBLEA_THREAD_SAFETY(acquire_capability()) { mutex_.lock(); }
    void unlock() OBLEA_THREAD_SAFETY(release_capability()) { mutex_.unlock(); }
    void lock_shared() OBLEA_THREAD_SAFETY(acquire_shared_capability()) { mutex_.lock_shared(); }
    void unlock_shared() OBLEA_THREAD_SAFETY(release_shared_capability()) {
        mutex_.unlock_shared();
    }
    void assert_held() const OBLEA_THREAD_SAFETY(assert_capability(this)) {}

private:
    std::shared_mutex mutex_;
};

// Holds a mutex for as long as it lives.
template <typename M>
class OBLEA_THREAD_SAFETY(scoped_lockable) LockGuard {
public:
    explicit LockGuard(M& mutex) OBLEA_THREAD_SAFETY(acquire_capability(mutex)) : mutex_(mutex) {
        mutex_.lock();
    }
    ~LockGuard() OBLEA_THREAD_SAFETY(release_capability()) { mutex_.unlock(); }
    LockGuard(LockGuard const&) = delete;
    LockGuard& operator=(LockGuard const&) = delete;

private:
    M& mutex_;
};

// The same, shared with others.
class OBLEA_THREAD_SAFETY(scoped_lockable) SharedLock {
public:
    explicit SharedLock(SharedMutex& mutex) OBLEA_THREAD_SAFETY(acquire_shared_capability(mutex))
        : mutex_(mutex) {
        mutex_.lock_shared();
    }
    ~SharedLock() OBLEA_THREAD_SAFETY(release_capability()) { mutex_.unlock_shared(); }
    SharedLock(SharedLock const&) = delete;
    SharedLock& operator=(SharedLock const&) = delete;

private:
    SharedMutex& mutex_;
};

// Holds a mutex, and may let go of it meanwhile: to wait for a condition variable by for_wait(), or
// to work without it.
class OBLEA_THREAD_SAFETY(scoped_lockable) UniqueLock {
public:
    explicit UniqueLock(Mutex& mutex) OBLEA_THREAD_SAFETY(acquire_capability(mutex))
        : lock_(mutex.mutex_) {}
    ~UniqueLock() OBLEA_THREAD_SAFETY(release_capability()) = default;
    UniqueLock(UniqueLock const&) = delete;
    UniqueLock& operator=(UniqueLock const&) = delete;

    void lock() OBLEA_THREAD_SAFETY(acquire_capability()) { lock_.lock(); }
    void unlock() OBLEA_THREAD_SAFETY(release_capability()) { lock_.unlock(); }
    // For std::condition_variable, which gives it back locked.
    [[nodiscard]] std::unique_lock<std::mutex>& for_wait() { return lock_; }

private:
    std::unique_lock<std::mutex> lock_;
};

}  // namespace oblea::base
