// SPDX-License-Identifier: MIT
#include "tools/cli/context.h"
#include "tools/commands/commands.h"

namespace oblea::tools {

Command version_command() {
    return {
        .name = "version",
        .aliases = {},
        .section = Command::Section::about,
        .summary = "Show the version",
        .description = "",
        .operands = {},
        .options = {},
        .examples = {{"oblea version", "oblea " OBLEA_VERSION}},
        .run = [](Context& context) -> Result<int> {
            context.line("oblea " OBLEA_VERSION);
            return exit_code::kSuccess;
        },
    };
}

}  // namespace oblea::tools
