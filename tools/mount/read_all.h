// SPDX-License-Identifier: MIT
// Reading what containers of an ordinary user have written.
#pragma once
#include "tools/mount/user_namespace.h"

namespace oblea::tools {

// What `read` gives; where parts of a store belong to subordinate ids and are closed to the user,
// what it gives in a user namespace, where this process stays. It has one thread, and `read` starts
// none before it fails with EACCES.
template <typename Read>
auto read_all(Read const& read) -> decltype(read()) {
    auto result = read();
    if (result.has_value() || result.error().code != Errno::eacces) {
        return result;
    }
    if (auto const entered = enter_user_namespace(); !entered.has_value()) {
        return std::unexpected<Error>(entered.error());
    }
    return read();
}

}  // namespace oblea::tools
