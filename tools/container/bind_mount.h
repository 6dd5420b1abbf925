// SPDX-License-Identifier: MIT
// A folder or file of the machine, shown inside a container.
#pragma once
#include <string>

namespace oblea::tools {

struct BindMount {
    std::string source;  // absolute
    std::string target;  // absolute, inside
    enum class Access { read_write, read_only } access = Access::read_write;
    auto operator<=>(BindMount const&) const = default;
};

}  // namespace oblea::tools
