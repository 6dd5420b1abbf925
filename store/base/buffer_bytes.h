// SPDX-License-Identifier: MIT
// How much is read, copied or hashed at a time, where nothing speaks for another size.
#pragma once
#include <cstddef>

namespace oblea::base {

inline constexpr std::size_t kBufferBytes = 256U << 10U;
// Where the other side is asked anew each time.
inline constexpr std::size_t kLargeBufferBytes = 1U << 20U;

}  // namespace oblea::base
