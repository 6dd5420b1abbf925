// SPDX-License-Identifier: MIT
#include "tools/commands/verify_option.h"

namespace oblea::tools {

Option verify_option(bool& target) {
    return {.names = "--verify",
            .value_name = "",
            .help = "Hold each file of the image against its digest when it is first read: a "
                    "damaged one is an I/O error, and the log names it",
            .target = &target,
            .config = "mount.verify"};
}

}  // namespace oblea::tools
