// SPDX-License-Identifier: MIT
#include "tools/cli/run_program.h"
#include "tools/commands/commands.h"

namespace oblea::tools {

CommandTable command_table() {
    // In the order in which help lists them.
    // clang-format off
    return {
        images_command(),
        tag_command(),
        unpack_command(),
        ls_command(),
        cat_command(),
        gc_command(),
        info_command(),
        version_command(),
        help_command(),
    };
    // clang-format on
}

}  // namespace oblea::tools
