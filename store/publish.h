// SPDX-License-Identifier: MIT
// What keeps publishing and gc apart: the store's lock, and the marking of what is used again.
//
// gc deletes under the exclusive lock, and spares what is younger than a lease. Whoever wants to
// write something that is there already makes it young instead, under the shared lock: gc has then
// either deleted it before, and it is seen to be missing, or spares it.
#pragma once
#include "store/base/error.h"
#include "store/base/unique_fd.h"

namespace oblea::store {

// Holds the store's lock for as long as the descriptor is open. Threads exclude each other too.
enum class StoreLock { shared, exclusive };
Result<base::UniqueFd> lock_store(int root, StoreLock kind);

// Marks something published (a path relative to the root: a blob, an object, a layer's folder) as
// used from now on, so that every lease held at this moment protects it as if it were new. False
// when it is not there. Whoever finds that what he would write exists already calls this first.
Result<bool> refresh_published(int root, char const* path);

}  // namespace oblea::store
