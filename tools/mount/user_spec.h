// SPDX-License-Identifier: MIT
// Who a command runs as inside an image: from the image's own passwd and group files. Pure.
//
// Spec: OCI image-spec config.md "User"; passwd(5), group(5).
#pragma once
#include "store/base/error.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace oblea::tools {

struct Identity {
    std::uint32_t uid = 0;
    std::uint32_t gid = 0;
    std::vector<std::uint32_t> groups;  // supplementary
    std::string home = "/";
};

// `spec` is "user", "uid", "user:group", "uid:gid" and mixtures; empty is root. A number that
// passwd does not have is taken as it stands, with group 0. Errors: EINVAL naming the user or group
// that the image does not have.
Result<Identity> resolve_user(std::string_view spec, std::string_view passwd,
                              std::string_view group);

// Adds groups, by name or number, to the supplementary ones. Errors: EINVAL naming the group that
// the image does not have.
Status add_groups(Identity& identity, std::vector<std::string> const& wanted,
                  std::string_view group);

}  // namespace oblea::tools
