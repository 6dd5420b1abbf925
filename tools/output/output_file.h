// SPDX-License-Identifier: MIT
// Writes the file that an option names, such as that of `save -o`.
//
// A file appears complete, or stays what it was: it is written beside its place and renamed. What
// is no plain file - /dev/stdout, /dev/null, a pipe - is written to and never replaced. A link
// stands for what it leads to.
#pragma once
#include "store/base/error.h"

#include <sys/types.h>

#include <functional>
#include <string>

namespace oblea::tools {

// `write` gets a descriptor to write to. A file that is new has `mode`, less the umask. Errors:
// ENOENT in docker's words when the folder is not there; what `write` says, with the path.
Status write_output_file(std::string const& path, mode_t mode,
                         std::function<Status(int fd)> const& write);

}  // namespace oblea::tools
