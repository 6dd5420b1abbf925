// SPDX-License-Identifier: MIT
// The option --progress, which every long command has.
#pragma once
#include "tools/cli/command.h"
#include "tools/output/progress.h"

namespace oblea::tools {

[[nodiscard]] Option progress_option(std::string& target);

// Of a value that the option allows.
[[nodiscard]] ProgressMode parse_progress_mode(std::string_view text);

}  // namespace oblea::tools
