// SPDX-License-Identifier: MIT
#include "fs/fuse/early_cuts.h"

namespace oblea::fs {

std::optional<EarlyCuts::Alone> EarlyCuts::enter(Ino ino) {
    base::LockGuard const lock{mutex_};
    if (!entered_.insert(ino).second) {
        return std::nullopt;
    }
    entered_count_.fetch_add(1);
    return Alone{*this, ino};
}

void EarlyCuts::leave(Ino ino) {
    {
        base::LockGuard const lock{mutex_};
        entered_.erase(ino);
        entered_count_.fetch_sub(1);
    }
    left_.notify_all();
}

void EarlyCuts::wait_for_others(Ino ino) {
    if (entered_count_.load() == 0) {
        return;
    }
    base::UniqueLock lock{mutex_};
    left_.wait(lock.for_wait(), [&] {
        mutex_.assert_held();
        return !entered_.contains(ino);
    });
}

void EarlyCuts::add_done(Ino ino, pid_t thread) {
    base::LockGuard const lock{mutex_};
    done_.insert_or_assign(ino, thread);
}

bool EarlyCuts::take_done(Ino ino, pid_t thread) {
    base::LockGuard const lock{mutex_};
    auto const at = done_.find(ino);
    if (at == done_.end() || at->second != thread) {
        return false;
    }
    done_.erase(at);
    return true;
}

bool EarlyCuts::never_came(Ino ino) {
    base::LockGuard const lock{mutex_};
    return done_.erase(ino) != 0;
}

}  // namespace oblea::fs
