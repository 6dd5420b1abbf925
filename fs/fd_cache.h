// SPDX-License-Identifier: MIT
// Open descriptors of files and folders of the upper, by inode: a bounded cache of what can be
// opened again.
//
// A descriptor that was got stays open for as long as its holder keeps it, whatever the cache drops
// meanwhile. Safe from any thread.
#pragma once
#include "fs/types.h"
#include "store/base/mutex.h"
#include "store/base/unique_fd.h"

#include <array>
#include <list>
#include <memory>
#include <unordered_map>

namespace oblea::fs {

// Shared, because a request may still use what the cache has dropped.
using SharedFd = std::shared_ptr<base::UniqueFd const>;

class FdCache {
public:
    explicit FdCache(std::size_t capacity) : per_shard_(capacity / kShards + 1) {}

    [[nodiscard]] SharedFd find(Ino ino);  // null: not there
    void put(Ino ino, SharedFd fd);
    void erase(Ino ino);

private:
    static constexpr std::size_t kShards = 16;
    struct Slot {
        Ino ino;
        SharedFd fd;
    };
    struct Shard {
        base::Mutex mutex;
        std::list<Slot> by_use OBLEA_GUARDED_BY(mutex);  // the one used last is the first
        std::unordered_map<Ino, std::list<Slot>::iterator> places OBLEA_GUARDED_BY(mutex);
    };
    [[nodiscard]] Shard& shard(Ino ino) {
        return shards_[static_cast<std::uint64_t>(ino) % kShards];
    }

    std::size_t per_shard_;
    std::array<Shard, kShards> shards_;
};

}  // namespace oblea::fs
