// SPDX-License-Identifier: MIT
// How much a container holds of its own.
#pragma once
#include "store/store.h"
#include "tools/mount/containers.h"

#include <cstdint>
#include <string>

namespace oblea::tools {

struct ContainerSize {
    std::uint64_t own = 0;    // files of the writable layer, each inode once; holes do not count
    std::uint64_t image = 0;  // 0 when the store has the image no more
};

// Forks where parts of the layer belong to subordinate ids.
Result<ContainerSize> container_size(store::Store const& store, Container const& container);

// Files below a folder of the store, as above; 0 where there is none. Forks where parts of it
// belong to subordinate ids.
Result<std::uint64_t> contents_bytes(store::Store const& store, std::string const& path);

// "18B (virtual 72.9MB)", as docker has it.
std::string size_text(ContainerSize const& size);

}  // namespace oblea::tools
