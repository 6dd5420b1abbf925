// SPDX-License-Identifier: MIT
// The two forms of a block map in work/maps, and which of them counts (README.md "Partial files").
#pragma once
#include "fs/block_map.h"

#include <string>
#include <string_view>

namespace oblea::fs {

// Ends the name of a map that counts after a restart of the machine.
inline constexpr std::string_view kSyncedMapSuffix = ".synced";

enum class MapFound { none, synced, live };

// Reads into `map`, which has nothing of its own below the lower file's size. `boot_id` is this
// machine's as it runs now. Errors: as BlockMap's; those of reading.
Result<MapFound> load_map(int maps, std::string const& key, std::string_view boot_id,
                          BlockMap& map);
// The synced form alone, whether it counts or not.
Result<MapFound> load_synced_map(int maps, std::string const& key, BlockMap& map);

}  // namespace oblea::fs
