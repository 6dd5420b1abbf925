// SPDX-License-Identifier: MIT
// The folders of RUN --mount=type=cache: caches/<SHA-256 of the id> in the store, beside it a file
// whose lock tells who uses it. They outlive builds and belong to no image; gc --caches removes
// those that nobody uses. FORMAT.md "Caches of builds".
#pragma once
#include "store/base/unique_fd.h"
#include "store/store.h"
#include "tools/build/dockerfile/dockerfile.h"

#include <string>

namespace oblea::tools::build {

struct HeldCache {
    std::string folder;   // absolute; not made yet, perhaps
    base::UniqueFd lock;  // shared or exclusive, as long as it is used
};

// `locked` waits for others; `private_` takes a folder of its own where others use the first.
Result<HeldCache> hold_cache(store::Store const& store, std::string const& id,
                             dockerfile::Mount::Sharing sharing);

struct CacheUse {
    std::size_t folders = 0;
    std::size_t in_use = 0;
};
// Removes those that nobody uses.
Result<CacheUse> remove_caches(store::Store const& store);

}  // namespace oblea::tools::build
