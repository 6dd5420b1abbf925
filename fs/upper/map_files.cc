// SPDX-License-Identifier: MIT
#include "fs/upper/map_files.h"

#include "store/base/sys.h"

#include <optional>

namespace oblea::fs {

namespace {

namespace sys = base::sys;

// Nullopt where there is none. Blocks have at least one byte each.
Result<std::optional<std::string>> read_form(int maps, std::string const& name,
                                             BlockMap const& map) {
    std::size_t const bytes_max =
        BlockMap::kHeaderBytes + static_cast<std::size_t>(map.limit() / 8) + 1;
    auto text = sys::read_file(maps, name.c_str(), bytes_max);
    if (!text.has_value() && text.error().code == Errno::enoent) {
        return std::optional<std::string>{};
    }
    return std::optional{OBLEA_TRY(std::move(text))};
}

}  // namespace

Result<MapFound> load_map(int maps, std::string const& key, std::string_view boot_id,
                          BlockMap& map) {
    auto const live = OBLEA_TRY(read_form(maps, key, map));
    if (live.has_value() && OBLEA_TRY(map.load_live(*live, boot_id))) {
        return MapFound::live;
    }
    return load_synced_map(maps, key, map);
}

Result<MapFound> load_synced_map(int maps, std::string const& key, BlockMap& map) {
    auto const synced = OBLEA_TRY(read_form(maps, key + std::string{kSyncedMapSuffix}, map));
    if (!synced.has_value()) {
        return MapFound::none;
    }
    OBLEA_TRY(map.load_synced(*synced));
    return MapFound::synced;
}

}  // namespace oblea::fs
