// SPDX-License-Identifier: MIT
// Open descriptors of files and folders of the upper, by inode: a bounded cache of what can be
// opened again.
//
// A descriptor that was got stays open for as long as its holder keeps it, whatever the cache drops
// meanwhile. Safe from any thread.
#pragma once
#include "fs/types.h"
#include "store/base/recently_used.h"
#include "store/base/unique_fd.h"

#include <array>
#include <cstddef>
#include <memory>
#include <utility>

namespace oblea::fs {

// Shared, because a request may still use what the cache has dropped.
using SharedFd = std::shared_ptr<base::UniqueFd const>;

class FdCache {
public:
    explicit FdCache(std::size_t capacity) {
        for (Shard& shard : shards_) {
            shard = std::make_unique<Fds>(capacity / kShards + 1);
        }
    }

    // Null: not there.
    [[nodiscard]] SharedFd find(Ino ino) { return shard(ino).find(ino); }
    void put(Ino ino, SharedFd fd) { shard(ino).replace(ino, std::move(fd), 1); }
    void erase(Ino ino) { shard(ino).erase(ino); }

private:
    static constexpr std::size_t kShards = 16;
    using Fds = base::RecentlyUsed<Ino, base::UniqueFd>;
    using Shard = std::unique_ptr<Fds>;
    [[nodiscard]] Fds& shard(Ino ino) {
        return *shards_[static_cast<std::uint64_t>(ino) % kShards];
    }

    std::array<Shard, kShards> shards_;
};

}  // namespace oblea::fs
