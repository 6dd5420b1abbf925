// SPDX-License-Identifier: MIT
// Becomes another user for good, as the last thing before a command is executed.
#pragma once
#include "store/base/error.h"

#include <cstdint>
#include <vector>

namespace oblea::tools {

struct UserIds {
    std::uint32_t uid = 0;
    std::uint32_t gid = 0;
    std::vector<std::uint32_t> groups;
};

// Where the kernel forbids to set groups, those from outside are kept. Errors: EINVAL, with the
// remedy, for an id that this user namespace does not have.
Status become_user(UserIds const& ids);

}  // namespace oblea::tools
