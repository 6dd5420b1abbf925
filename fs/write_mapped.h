// SPDX-License-Identifier: MIT
// Writing without taking privileges away.
//
// write(2) and its kin drop set-user-id, set-group-id (of writers without CAP_FSETID) and
// security.capability (of everybody's), as they must when a program changes a file. Bytes that the
// file was shown with all along change nothing, and go through a mapping, which drops nothing.
#pragma once
#include "store/base/bytes.h"
#include "store/base/error.h"

#include <cstdint>

namespace oblea::fs {

// `file` is open for reading and writing, and long enough. Its times may change. Errors: as
// mmap(2); ENOSPC when the file system has no page for what it was given.
Status write_mapped(int file, base::ByteView data, std::uint64_t offset);

}  // namespace oblea::fs
