// SPDX-License-Identifier: MIT
// A volume of the store, shown inside a container.
#pragma once
#include "tools/container/bind_mount.h"

#include <string>

namespace oblea::tools {

struct VolumeMount {
    std::string name;    // empty: one that nobody named, as long as it has not been made
    std::string target;  // absolute, inside
    BindMount::Access access = BindMount::Access::read_write;
    // Whether it gets what the image has at its target, as long as it is empty.
    enum class Copy { no, yes } copy = Copy::yes;
    // One that nobody named goes with the container where that is asked for.
    enum class Named { by_user, by_nobody } named = Named::by_user;
    auto operator<=>(VolumeMount const&) const = default;
};

}  // namespace oblea::tools
