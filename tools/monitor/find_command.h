// SPDX-License-Identifier: MIT
// Looks for a command inside a container's tree, as execvp(3) would there.
#pragma once
#include "store/base/error.h"
#include "store/base/unique_fd.h"

#include <string>
#include <vector>

namespace oblea::tools {

struct CommandWanted {
    std::string program;
    std::vector<std::string> const& env;  // PATH is looked up in it
    std::string workdir;
};

enum class CommandFound { yes, not_executable, no };

// Links are followed inside the tree.
Result<CommandFound> find_command(base::UniqueFd const& root, CommandWanted const& wanted);

// Makes the working folder where the image does not have it, as docker does.
Status make_workdir(base::UniqueFd const& root, std::string const& workdir);

}  // namespace oblea::tools
