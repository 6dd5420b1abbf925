// SPDX-License-Identifier: MIT
#include "fs/fd_cache.h"

#include <utility>

namespace oblea::fs {

SharedFd FdCache::find(Ino ino) {
    Shard& home = shard(ino);
    base::LockGuard const lock{home.mutex};
    auto const found = home.places.find(ino);
    if (found == home.places.end()) {
        return nullptr;
    }
    home.by_use.splice(home.by_use.begin(), home.by_use, found->second);
    return found->second->fd;
}

void FdCache::put(Ino ino, SharedFd fd) {
    SharedFd dropped;  // closed after the lock is released
    Shard& home = shard(ino);
    base::LockGuard const lock{home.mutex};
    if (auto const found = home.places.find(ino); found != home.places.end()) {
        dropped = std::exchange(found->second->fd, std::move(fd));
        home.by_use.splice(home.by_use.begin(), home.by_use, found->second);
        return;
    }
    if (home.places.size() >= per_shard_) {
        dropped = std::move(home.by_use.back().fd);
        home.places.erase(home.by_use.back().ino);
        home.by_use.pop_back();
    }
    home.by_use.push_front({.ino = ino, .fd = std::move(fd)});
    home.places.emplace(ino, home.by_use.begin());
}

void FdCache::erase(Ino ino) {
    SharedFd dropped;  // closed after the lock is released
    Shard& home = shard(ino);
    base::LockGuard const lock{home.mutex};
    if (auto const found = home.places.find(ino); found != home.places.end()) {
        dropped = std::move(found->second->fd);
        home.by_use.erase(found->second);
        home.places.erase(found);
    }
}

}  // namespace oblea::fs
