// SPDX-License-Identifier: MIT
// A device node of the machine in a container. Spec: docker's `run --device`.
#pragma once
#include "store/base/error.h"

#include <string>
#include <string_view>

namespace oblea::tools {

struct Device {
    std::string source;  // absolute, of the machine
    std::string target;  // absolute, inside
    auto operator<=>(Device const&) const = default;
};

// SOURCE[:TARGET][:rwm]. All of reading, writing and making nodes comes with it: to give less takes
// a cgroup. Errors: EINVAL with the form wanted.
Result<Device> parse_device(std::string_view typed);
std::string to_string(Device const& device);  // SOURCE:TARGET:rwm

struct DeviceNumbers {
    enum class Type { character, block } type = Type::character;
    unsigned major = 0;
    unsigned minor = 0;
};

// What the source is now. Errors, in docker's words: ENOENT; EINVAL for what is no device node.
Result<DeviceNumbers> find_device(Device const& device);

}  // namespace oblea::tools
