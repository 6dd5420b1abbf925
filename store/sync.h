// SPDX-License-Identifier: MIT
// Brings what was written to disk, with as few waits as the load allows.
//
// An fsync for each file costs a flush of the disk's cache each; syncfs costs one for all, but
// waits for what others have written to the same file system too. DURABILITY.md "Few waits".
// Thread-safe.
#pragma once
#include "store/base/error.h"

#include <cstdint>
#include <string>
#include <vector>

namespace oblea::store {

enum class SyncBy { each_file, whole_file_system };

struct SyncLoad {
    std::size_t files = 0;            // files and folders that must reach the disk
    std::uint64_t own_bytes = 0;      // in them
    std::uint64_t waiting_bytes = 0;  // written on this machine, by anybody, and not on disk yet
};

// Pure. One wait for all, unless there are only a few files or most of what waits is others'.
[[nodiscard]] SyncBy decide_sync(SyncLoad const& load);

// Files and folders by their paths relative to `root`, a descriptor of their file system that was
// open before any of it was written (so that syncfs tells of every fault since). `threads` wait
// side by side. Errors: EIO, ENOSPC, EDQUOT as they come, naming a path where one is known.
Status sync_paths(int root, std::vector<std::string> const& paths, unsigned threads);

// Eight, or one where OBLEA_THREADS=1 wants a single thread.
[[nodiscard]] unsigned sync_threads();

}  // namespace oblea::store
