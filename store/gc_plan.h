// SPDX-License-Identifier: MIT
// What gc removes: the policy, without any effect.
#pragma once
#include "store/gc.h"
#include "store/inventory.h"

#include <optional>
#include <string>
#include <unordered_set>

namespace oblea::store {

// What is reached from images, containers and leases.
struct Reached {
    std::unordered_set<Digest> layers;
    std::unordered_set<Digest> objects;
    std::unordered_set<Digest> blobs;
    std::unordered_set<Digest> merged;  // chain IDs
    // A layer in use does not tell its objects: then none may go.
    enum class Objects { known, unknown } objects_state = Objects::known;
};

struct GcScope {
    // Things published or refreshed since then may belong to what is running; they stay.
    std::optional<Timestamp> spare_since{};
    // Of a clean-up after a failure: older things are not its business.
    std::optional<Timestamp> only_since{};
    // Downloads that were cut after this wait for who goes on with them. Without it all of them do.
    std::optional<Timestamp> downloads_since{};
};

// Whether an item is spared for its youth alone.
[[nodiscard]] bool is_young(StoreItem const& item, GcScope const& scope);

// In the order of removal: at whatever item it is cut, no layer lacks an object that it names, and
// the next gc finds the rest.
GcReport plan_gc(Inventory const& inventory, Reached const& reached, GcScope const& scope);

}  // namespace oblea::store
