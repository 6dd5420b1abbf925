// SPDX-License-Identifier: MIT
#include "tools/commands/commands.h"

#include "tools/cli/run_program.h"

namespace oblea::tools {

CommandTable command_table() {
    return {
        info_command(),
        version_command(),
        help_command(),
    };
}

}  // namespace oblea::tools
