// SPDX-License-Identifier: MIT
#include "fs/owner_map.h"

namespace oblea::fs {

std::uint32_t OwnerMap::shown(std::uint32_t id) const {
    if (squashed.has_value()) {
        return *squashed;
    }
    for (OwnerRange const& range : ranges) {
        if (id >= range.stored && id - range.stored < range.count) {
            return range.shown + (id - range.stored);
        }
    }
    return ranges.empty() ? id : kOverflow;
}

std::optional<std::uint32_t> OwnerMap::stored(std::uint32_t id) const {
    for (OwnerRange const& range : ranges) {
        if (id >= range.shown && id - range.shown < range.count) {
            return range.stored + (id - range.shown);
        }
    }
    return ranges.empty() ? std::optional{id} : std::nullopt;
}

}  // namespace oblea::fs
