// SPDX-License-Identifier: MIT
// Names for containers that nobody named: an adjective and the surname of somebody worth knowing.
#pragma once
#include <cstdint>
#include <string>

namespace oblea::tools {

// The same number gives the same name. Numbers beyond the count of pairs get a digit appended.
std::string container_name(std::uint64_t number);

// How many names there are without a digit.
std::uint64_t container_name_count();

}  // namespace oblea::tools
