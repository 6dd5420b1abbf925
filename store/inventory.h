// SPDX-License-Identifier: MIT
// What lies in a store, with the space that it takes.
//
// A listing, no judgement. What vanishes while it is made is left out. Sizes are blocks in use, as
// du counts them.
#pragma once
#include "store/gc.h"
#include "store/index/types.h"

#include <optional>
#include <string>
#include <vector>

namespace oblea::store {

struct StoreItem {
    Garbage item;
    std::optional<Digest> digest;  // of a layer, an object, a blob, a merged tree
    Timestamp changed;             // st_ctime: when it was published or refreshed last
};

// A lease's locked file.
struct LeaseItem {
    std::string path;
    Timestamp taken;
    enum class State { held, dead } state = State::dead;
};

struct Inventory {
    std::vector<StoreItem> items;  // layers, objects, blobs, merged trees, temporaries; sorted
    std::vector<LeaseItem> leases;
    std::vector<StoreItem> lease_files;   // every file in leases/
    std::vector<std::string> containers;  // ids; those half made are temporaries
    std::vector<std::string> volumes;     // names
};

Result<Inventory> take_inventory(int root);

// "objects/aa" of "objects/aa/DIGEST". Pure.
[[nodiscard]] std::string folder_of_object(std::string const& path);

// Blocks of a file, or of a folder itself; 0 when there is nothing.
Result<std::uint64_t> file_bytes(int dir, char const* path);
// Blocks of a file or of a whole tree, every inode once; 0 when there is nothing.
Result<std::uint64_t> tree_bytes(int dir, char const* path);

}  // namespace oblea::store
