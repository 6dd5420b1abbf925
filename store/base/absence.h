// SPDX-License-Identifier: MIT
// Which errors only say that something is not there.
#pragma once
#include "store/base/error.h"

namespace oblea::base {

// Nothing has that name, nor does the folder exist that could.
[[nodiscard]] constexpr bool is_absent(Errno code) {
    return code == Errno::enoent || code == Errno::enotdir;
}

}  // namespace oblea::base
