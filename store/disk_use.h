// SPDX-License-Identifier: MIT
// Who takes the space of a store.
//
// Every block is counted once: unique to an image, shared by several, a container's, a volume's,
// nobody's (what gc would free now), held (by a lease or a container whose image is gone), or the
// store's own. The sum is what du counts. The cost grows with layers and objects, not with files in
// images.
#pragma once
#include "store/store.h"

#include <string>
#include <vector>

namespace oblea::store {

struct DiskUse {
    struct OfImage {
        Digest id;
        std::vector<std::string> names;
        std::uint64_t unique_bytes = 0;  // freed when it alone is removed
        std::uint64_t shared_bytes = 0;  // needed by other images too
    };
    std::vector<OfImage> images;     // in the order of images.json
    std::uint64_t unique_bytes = 0;  // of all images
    std::uint64_t shared_bytes = 0;  // each block once
    std::size_t containers = 0;
    std::uint64_t container_bytes = 0;
    struct OfVolume {
        std::string name;
        std::uint64_t bytes = 0;
    };
    std::vector<OfVolume> volumes;  // sorted by name
    // What images need is there once, however many need it.
    struct Once {
        std::size_t count = 0;
        std::uint64_t bytes = 0;
        std::uint64_t saved_bytes = 0;
    };
    Once layers;   // saved: as if each image had its layers, with their objects, for itself
    Once objects;  // saved: as if each of these layers had its objects for itself
    std::uint64_t held_bytes = 0;
    std::uint64_t garbage_bytes = 0;  // gc frees it
    std::uint64_t own_bytes = 0;      // lists, folders, the reserve
    std::uint64_t total_bytes = 0;

    // What the contents of all images would take if nothing were shared or compressed.
    std::uint64_t referenced_bytes = 0;
};

// Errors: as collect_garbage(); EACCES where a container or a volume is closed to the user, before
// any thread was started, so that the caller can enter a user namespace and ask again.
Result<DiskUse> measure_disk_use(Store const& store);

// What an image needs, each once, as paths relative to the root: config, manifest, layers, their
// blobs and objects, the merged tree; whether it is there or not.
std::vector<std::string> paths_of_image(int root, Image const& image);

}  // namespace oblea::store
