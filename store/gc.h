// SPDX-License-Identifier: MIT
// Finds and removes what nothing reaches.
//
// Roots: the entries of images.json, containers, leases of live operations (a lease that nobody
// holds any more is debris). Policy is plan_gc; the executor deletes what the plan says under the
// exclusive lock, in an order in which a crash at any point leaves a store that works and that the
// next gc finishes cleaning. Images and containers are never removed by it.
#pragma once
#include "store/store.h"

#include <string>
#include <unordered_set>
#include <vector>

namespace oblea::store {

struct Garbage {
    enum class Kind { layer, object, blob, merged, lease, temporary };
    Kind kind = Kind::temporary;
    std::string path;         // relative to the store's root
    std::uint64_t bytes = 0;  // blocks in use, as du counts
};

struct GcReport {
    std::vector<Garbage> removed;  // of a dry run: what would be
    std::uint64_t bytes = 0;
    // Things younger than a running operation, kept though nothing reaches them yet.
    std::size_t kept_for_leases = 0;
    // What could not be judged, and was kept with all that it may need: damaged layers.
    std::vector<std::string> warnings;
};

enum class GcMode { dry_run, remove };
// Layers as they came compressed: with `drop` they count as unreachable too. Images stay whole, and
// can be saved and pushed, but not byte for byte as they came.
enum class LayerBlobs { keep, drop };
// Errors: EUCLEAN when a container or images.json cannot be read, for then nothing is known to be
// unreachable.
Result<GcReport> collect_garbage(Store const& store, GcMode mode,
                                 LayerBlobs blobs = LayerBlobs::keep);

// What would be removed if these images were, too.
Result<GcReport> foresee_garbage(Store const& store, std::unordered_set<Digest> const& gone,
                                 LayerBlobs blobs = LayerBlobs::keep);

// After a failure: removes at once what was published since `lease` was taken, as far as nothing
// reaches it and no other lease may need it.
Status discard_since(Store const& store, Lease const& lease);

// What the store holds, for `info`.
struct StoreUsage {
    std::size_t images = 0;
    std::size_t layers = 0;
    std::size_t objects = 0;
    std::size_t blobs = 0;
    std::size_t containers = 0;
    std::uint64_t pack_bytes = 0;
    std::uint64_t index_bytes = 0;  // indexes and recipes
    std::uint64_t object_bytes = 0;
    std::uint64_t blob_bytes = 0;
    std::uint64_t merged_bytes = 0;
    std::uint64_t container_bytes = 0;
    std::uint64_t disk_bytes = 0;  // all of the root, as du counts
    std::uint64_t referenced_bytes =
        0;  // sum of SIZE of all images: what it would be if nothing were shared
};
Result<StoreUsage> measure_usage(Store const& store);

}  // namespace oblea::store
