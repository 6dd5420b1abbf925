// SPDX-License-Identifier: MIT
// Makes a folder into a store, and proves that a folder is one.
//
// A store is made in an order that a crash may cut anywhere: the file `lock` first, images.json
// last. A folder with `lock` and without images.json is a store half made, and making it goes on.
// Two processes that make the same store wait for each other.
#pragma once
#include "store/base/unique_fd.h"
#include "store/index/types.h"

#include <string>

namespace oblea::store {

// Errors: EUCLEAN for a folder that holds something else; EOPNOTSUPP for a network file system, or
// where flock does not exclude; all with advice.
Status create_store(std::string const& path);

// The root of an existing store. Errors: ENOENT; EUCLEAN; EOPNOTSUPP.
Result<base::UniqueFd> open_store(std::string const& path);

// tmp/reserve: space that is given up when the disk is full, so that the list of images can still
// be rewritten and things be removed.
Status make_reserve(int root);  // nothing to do when it is there; ENOSPC when there is no room
Status drop_reserve(int root);

}  // namespace oblea::store
