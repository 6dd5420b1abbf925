// SPDX-License-Identifier: MIT
// A parsed Dockerfile as lines of text, for golden files.
#pragma once
#include "tools/build/dockerfile/dockerfile.h"

#include <string>

namespace oblea::tests {

[[nodiscard]] std::string describe(tools::dockerfile::Instruction const& instruction);
[[nodiscard]] std::string describe(Result<tools::dockerfile::Dockerfile> const& parsed);

}  // namespace oblea::tests
