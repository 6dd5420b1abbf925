// SPDX-License-Identifier: MIT
// The rights of root that a container's processes have: docker's set, more or fewer.
//
// Spec: capabilities(7); docker's --cap-add and --cap-drop.
#pragma once
#include "store/base/error.h"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace oblea::tools {

// As typed: "NET_ADMIN", "cap_net_admin", "all".
struct CapabilityWishes {
    std::vector<std::string> add;
    std::vector<std::string> drop;
    auto operator<=>(CapabilityWishes const&) const = default;
};

// Names ("CAP_CHOWN") of docker's set, without what is dropped, with what is added; of those that
// nobody named, only what this process may hand on. Errors: EINVAL for what is none, in docker's
// words; EPERM naming one that is added and that this process may not hand on.
Result<std::vector<std::string>> plan_capabilities(CapabilityWishes const& wishes);

// Of a name as above.
std::optional<int> capability_number(std::string_view name);

}  // namespace oblea::tools
