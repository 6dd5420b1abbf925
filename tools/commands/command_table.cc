// SPDX-License-Identifier: MIT
#include "tools/commands/commands.h"

#include "tools/cli/run_program.h"

namespace oblea::tools {

CommandTable command_table() {
    return {
        images_command(), tag_command(),     unpack_command(), gc_command(),
        info_command(),   version_command(), help_command(),
    };
}

}  // namespace oblea::tools
