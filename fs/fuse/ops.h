// SPDX-License-Identifier: MIT
// The requests of the kernel, each handed to the union and answered: libfuse's table of operations.
//
// Thread-safe. No exception leaves an operation: one of a third party becomes EIO and a line in the
// log.
#pragma once

struct fuse_lowlevel_ops;

namespace oblea::fs {

// Its functions expect a Connection as the session's user data.
fuse_lowlevel_ops operations();

}  // namespace oblea::fs
