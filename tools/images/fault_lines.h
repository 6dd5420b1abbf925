// SPDX-License-Identifier: MIT
// Faults of a store as people read them.
#pragma once
#include "store/image/images.h"
#include "store/verify.h"
#include "tools/mount/containers.h"

#include <string>
#include <vector>

namespace oblea::tools {

// "objects/aa/...: its SHA-256 is not its name; needed by debian:12, 0123456789ab, container web".
// Pure.
[[nodiscard]] std::string fault_line(store::Fault const& fault, store::Images const& images,
                                     std::vector<Container> const& containers);

// "2 faults, 1 image and 1 container affected"; each of them counts once. Pure.
[[nodiscard]] std::string count_faults(std::vector<store::Fault> const& faults);

}  // namespace oblea::tools
