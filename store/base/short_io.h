// SPDX-License-Identifier: MIT
// Writes that may end early, for who tells others how far they came, as write(2) does. As sys.h
// otherwise.
#pragma once
#include "store/base/bytes.h"
#include "store/base/error.h"

#include <cstdint>

namespace oblea::base::sys {

// Writes until all is written or no more can be; returns the count. Errors: when that is nothing.
Result<std::size_t> pwrite_most(int fd, ByteView data, std::uint64_t offset);

// copy_file_range(2), once: copies up to `length` bytes inside the kernel; returns the count. 0:
// the source has ended, or the kernel cannot.
Result<std::uint64_t> copy_in_kernel(int source, std::uint64_t source_offset, int target,
                                     std::uint64_t target_offset, std::uint64_t length);

}  // namespace oblea::base::sys
