// SPDX-License-Identifier: MIT
// Faults of a store as people read them.
#pragma once
#include "store/image/images.h"
#include "store/verify.h"

#include <string>

namespace oblea::tools {

// "objects/aa/...: its SHA-256 is not its name; needed by debian:12, 0123456789ab". Pure.
[[nodiscard]] std::string fault_line(store::Fault const& fault, store::Images const& images);

// Images that faults hurt, each once.
[[nodiscard]] std::size_t count_hurt_images(std::vector<store::Fault> const& faults);

}  // namespace oblea::tools
