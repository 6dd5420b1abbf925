// SPDX-License-Identifier: MIT
// Which images go when a store is to become smaller: those that were used longest ago.
//
// An image is used when it is imported, mounted or looked into. The policy is pure; nothing is
// removed here. What is in use, by containers, mounts or whom the caller names, never goes.
#pragma once
#include "store/store.h"

#include <cstdint>
#include <optional>
#include <string>
#include <unordered_set>
#include <vector>

namespace oblea::store {

struct ExpiryCandidate {
    Digest id;
    std::int64_t last_used = 0;  // seconds since 1970
    enum class State { free, in_use } state = State::free;
    struct Thing {
        std::string path;  // what other images may need too
        std::uint64_t bytes = 0;
    };
    std::vector<Thing> things;
};

struct ExpiryLimits {
    std::optional<std::uint64_t> keep_bytes = {};  // go on until the store takes no more than this
    std::optional<std::int64_t> used_before = {};  // all that were not used since this second
};

struct ExpiredImage {
    Digest id;
    std::uint64_t freed_bytes = 0;  // by gc, once it and those before it are gone
};

// In the order of removal. `total_bytes` is what the store takes without garbage.
std::vector<ExpiredImage> plan_expiry(std::vector<ExpiryCandidate> const& candidates,
                                      std::uint64_t total_bytes, ExpiryLimits const& limits);

struct ExpiryState {
    std::vector<ExpiryCandidate> candidates;
    std::uint64_t total_bytes = 0;
};
Result<ExpiryState> expiry_state(Store const& store, std::unordered_set<Digest> const& in_use);

}  // namespace oblea::store
