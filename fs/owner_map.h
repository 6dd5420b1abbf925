// SPDX-License-Identifier: MIT
// Owners that are shown differently from how they are stored. Pure.
#pragma once
#include <cstdint>
#include <optional>
#include <vector>

namespace oblea::fs {

struct OwnerRange {
    std::uint32_t stored = 0;  // the first one, as the file system beneath has it
    std::uint32_t shown = 0;   // what programs see in its place
    std::uint32_t count = 0;
    bool operator==(OwnerRange const&) const = default;
};

// For one kind of ids, users or groups.
struct OwnerMap {
    std::vector<OwnerRange> ranges{};         // none: every id is shown as it is stored
    std::optional<std::uint32_t> squashed{};  // everything is shown as this one

    // What has no place in the ranges is shown as kOverflow, as in user namespaces.
    static constexpr std::uint32_t kOverflow = 65534;
    [[nodiscard]] std::uint32_t shown(std::uint32_t stored) const;
    // nullopt for an id that cannot be stored. A squashed map stores what it is told, as well as
    // that can be done.
    [[nodiscard]] std::optional<std::uint32_t> stored(std::uint32_t shown) const;
    bool operator==(OwnerMap const&) const = default;
};

struct OwnerMaps {
    OwnerMap users{};
    OwnerMap groups{};
    [[nodiscard]] bool squashes() const {
        return users.squashed.has_value() || groups.squashed.has_value();
    }
    bool operator==(OwnerMaps const&) const = default;
};

}  // namespace oblea::fs
