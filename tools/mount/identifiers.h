// SPDX-License-Identifier: MIT
// Names and ids of what users make in a store: containers and volumes.
#pragma once
#include "store/base/error.h"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace oblea::tools {

// Whether it is [a-zA-Z0-9][a-zA-Z0-9_.-]+, which is what docker takes, and always one component of
// a path.
[[nodiscard]] bool is_name(std::string_view text);

// 64 random hex digits.
Result<std::string> random_id();
// As many of them as people are shown.
inline constexpr std::size_t kShortIdLength = 12;
Result<std::uint64_t> random_number();

}  // namespace oblea::tools
