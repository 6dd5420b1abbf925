// SPDX-License-Identifier: MIT
#include "fs/fd_cache.h"

#include <algorithm>

namespace oblea::fs {

SharedFd FdCache::find(Ino ino) {
    Shard& home = shard(ino);
    base::LockGuard const lock{home.mutex};
    auto const found = home.slots.find(static_cast<std::uint64_t>(ino));
    if (found == home.slots.end()) {
        return nullptr;
    }
    found->second.used = ++home.clock;
    return found->second.fd;
}

void FdCache::put(Ino ino, SharedFd fd) {
    SharedFd dropped;  // closed after the lock is released
    Shard& home = shard(ino);
    base::LockGuard const lock{home.mutex};
    if (home.slots.size() >= per_shard_ && !home.slots.contains(static_cast<std::uint64_t>(ino))) {
        auto const oldest = std::ranges::min_element(
            home.slots, {}, [](auto const& entry) { return entry.second.used; });
        dropped = std::move(oldest->second.fd);
        home.slots.erase(oldest);
    }
    home.slots.insert_or_assign(static_cast<std::uint64_t>(ino), Slot{std::move(fd), ++home.clock});
}

void FdCache::erase(Ino ino) {
    Shard& home = shard(ino);
    base::LockGuard const lock{home.mutex};
    home.slots.erase(static_cast<std::uint64_t>(ino));
}

}  // namespace oblea::fs
