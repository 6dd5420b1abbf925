// SPDX-License-Identifier: MIT
// A folder in memory, inside a container.
#pragma once
#include <string>
#include <vector>

namespace oblea::tools {

struct TmpfsMount {
    std::string target;                // absolute, inside
    std::vector<std::string> options;  // as of mount(8): "nosuid", "size=64m"
    auto operator<=>(TmpfsMount const&) const = default;
};

}  // namespace oblea::tools
