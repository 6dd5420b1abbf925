// SPDX-License-Identifier: MIT
// Messages of a server to its log (standard error, which a background server has in a file).
//
// Bounded: a damaged image would else fill the disk with one line per request.
#pragma once
#include "fs/fuse/counters.h"
#include "store/base/error.h"

namespace oblea::fs {

// The request that failed in a way that its errno cannot explain.
void log_failure(Op op, Error const& error) noexcept;

}  // namespace oblea::fs
