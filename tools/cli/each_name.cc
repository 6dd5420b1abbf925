// SPDX-License-Identifier: MIT
#include "tools/cli/each_name.h"

namespace oblea::tools {

int for_each_name(Context const& context, std::span<std::string const> names, Force force,
                  std::function<Status(std::string const&)> const& act) {
    int status = exit_code::kSuccess;
    for (std::string const& name : names) {
        auto const done = act(name);
        if (done.has_value()) {
            continue;
        }
        context.error(done.error());
        if (force == Force::no || done.error().code != Errno::enoent) {
            status = exit_code::kFailure;
        }
    }
    return status;
}

}  // namespace oblea::tools
