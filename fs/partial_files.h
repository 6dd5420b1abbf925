// SPDX-License-Identifier: MIT
// The partial files (file_state.h) that requests are at work with: what is known of their contents.
//
// An entry is made at the first use of a file's contents, from what the upper says, and goes when
// the file is whole or its node goes; while one is made, nobody else makes or drops one of the same
// shard. Safe from any thread.
#pragma once
#include "fs/block_map.h"
#include "fs/types.h"
#include "store/base/mutex.h"

#include <array>
#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <unordered_map>

namespace oblea::fs {

struct PartialFile {
    PartialFile(std::string map_name, store::InodeNo lower_file, std::uint64_t size,
                std::uint32_t block_bytes)
        : name(std::move(map_name)), source(lower_file), map(size, block_bytes) {}

    // Of one that nobody else has yet, so without its mutex, which comes before the shard's that
    // is held then: its map was found in work/maps, and nobody knows how much of it was synced.
    void found_live() OBLEA_THREAD_SAFETY(no_thread_safety_analysis) {
        live = OnDisk::yes;
        changes = 1;
    }

    std::string const name;  // of its map in work/maps: the origin key of `source`
    store::InodeNo const source;
    BlockMap map;  // read without the mutex

    // Shared by who writes to blocks that are the file's own already, so that who fills others can
    // put its times back; exclusive for all who change the map, or the size or times of the file.
    base::SharedMutex mutex;
    enum class OnDisk : std::uint8_t { no, yes };
    OnDisk live OBLEA_GUARDED_BY(mutex) = OnDisk::no;  // work/maps/NAME
    // The limit that the live form on disk has. One that is higher than the map's is right as long
    // as the file is not longer than the map's: who loads it takes the lesser of both.
    std::atomic<std::uint64_t> saved_limit{0};
    // How often the map was changed, and as of when it is in the synced form.
    std::atomic<std::uint64_t> changes{0};
    base::Mutex syncing;
    std::uint64_t synced_changes OBLEA_GUARDED_BY(syncing) = 0;
};

using SharedPartial = std::shared_ptr<PartialFile>;

class PartialFiles {
public:
    [[nodiscard]] SharedPartial find(Ino ino) {
        Shard& home = shard(ino);
        base::LockGuard const lock{home.mutex};
        auto const at = home.files.find(static_cast<std::uint64_t>(ino));
        return at == home.files.end() ? nullptr : at->second;
    }
    // What `load` gives, null included, if there is no entry.
    Result<SharedPartial> find_or_load(Ino ino,
                                       std::function<Result<SharedPartial>()> const& load) {
        Shard& home = shard(ino);
        base::LockGuard const lock{home.mutex};
        auto const at = home.files.find(static_cast<std::uint64_t>(ino));
        if (at != home.files.end()) {
            return at->second;
        }
        SharedPartial loaded = OBLEA_TRY(load());
        if (loaded != nullptr) {
            home.files[static_cast<std::uint64_t>(ino)] = loaded;
        }
        return loaded;
    }
    void erase(Ino ino) {
        Shard& home = shard(ino);
        base::LockGuard const lock{home.mutex};
        home.files.erase(static_cast<std::uint64_t>(ino));
    }
    void clear() {
        for (Shard& one : shards_) {
            base::LockGuard const lock{one.mutex};
            one.files.clear();
        }
    }

private:
    struct Shard {
        base::Mutex mutex;
        std::unordered_map<std::uint64_t, SharedPartial> files OBLEA_GUARDED_BY(mutex);
    };
    [[nodiscard]] Shard& shard(Ino ino) {
        return shards_[static_cast<std::uint64_t>(ino) % shards_.size()];
    }
    std::array<Shard, 16> shards_;
};

}  // namespace oblea::fs
