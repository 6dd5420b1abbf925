// SPDX-License-Identifier: MIT
// A folder or file of the machine, shown inside a container.
#pragma once
#include <string>
#include <vector>

namespace oblea::tools {

struct BindMount {
    std::string source;  // absolute
    std::string target;  // absolute, inside
    enum class Access { read_write, read_only } access = Access::read_write;
    enum class Kind { unknown, folder, file } kind = Kind::unknown;  // see find_kinds(); not kept
    auto operator<=>(BindMount const&) const = default;
};

// What the sources are at this moment; what is not there stays unknown.
void find_kinds(std::vector<BindMount>& binds);

}  // namespace oblea::tools
