// SPDX-License-Identifier: MIT
#include "fs/plan/merge_listings.h"

#include "store/base/hash.h"

#include <algorithm>
#include <unordered_map>

namespace oblea::fs {

namespace {

MergedListed from_upper(UpperListed&& entry, std::uint64_t key, MergedListed::Below below) {
    return {.key = key,
            .name = std::move(entry.name),
            .type = entry.type,
            .source = MergedListed::Source::upper,
            .below = below,
            .upper_ino = entry.upper_ino};
}

}  // namespace

std::vector<MergedListed> merge_listings(std::span<LowerListed const> lower,
                                         std::vector<UpperListed> upper) {
    std::unordered_map<std::string_view, std::size_t> by_name;
    by_name.reserve(upper.size());
    for (std::size_t i = 0; i < upper.size(); ++i) {
        by_name.emplace(upper[i].name, i);
    }
    std::vector<MergedListed> merged;
    merged.reserve(lower.size() + upper.size());
    std::vector<bool> taken(upper.size());
    for (std::size_t position = 0; position < lower.size(); ++position) {
        LowerListed const& entry = lower[position];
        std::uint64_t const key = kLowerKeyFirst + position;
        auto const covering = by_name.find(entry.name);
        if (covering == by_name.end()) {
            merged.push_back({.key = key,
                              .name = std::string{entry.name},
                              .type = entry.type,
                              .source = MergedListed::Source::lower,
                              .lower = entry.ino});
            continue;
        }
        taken[covering->second] = true;
        UpperListed const& cover = upper[covering->second];
        if (cover.kind == UpperListed::Kind::entry) {
            merged.push_back(from_upper(UpperListed{cover}, key, MergedListed::Below::yes));
        }
    }
    std::size_t const born = merged.size();
    for (std::size_t i = 0; i < upper.size(); ++i) {
        if (!taken[i] && upper[i].kind == UpperListed::Kind::entry) {
            std::uint64_t const hash = base::xxh3_64(base::bytes_of(upper[i].name));
            merged.push_back(from_upper(std::move(upper[i]), kUpperKeyFirst + (hash >> 2U),
                                        MergedListed::Below::no));
        }
    }
    auto const tail = merged.begin() + static_cast<std::ptrdiff_t>(born);
    std::sort(tail, merged.end(), [](MergedListed const& left, MergedListed const& right) {
        return std::tie(left.key, left.name) < std::tie(right.key, right.name);
    });
    // Two names with one hash: one in 2^62. The second gives way, within this listing.
    for (auto it = tail; it != merged.end(); ++it) {
        if (it != tail && it->key <= (it - 1)->key) {
            it->key = (it - 1)->key + 1;
        }
    }
    return merged;
}

}  // namespace oblea::fs
