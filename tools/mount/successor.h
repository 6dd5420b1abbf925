// SPDX-License-Identifier: MIT
// Another program takes over a mount: how its holder starts it, and what it does then.
//
// The holder stays what it is, a process that waits. Its child becomes the new program by exec and
// has the holder's descriptors; it says when it is ready to serve, or why not. Then the holder goes
// on as it did before, so that a new program that fails costs nobody the mount.
#pragma once
#include "fs/fuse/server.h"
#include "store/base/error.h"

#include <optional>
#include <string>
#include <vector>

namespace oblea::tools {

// The path of the file that this process was started from, where there may be another one now.
Result<std::string> own_program();

// In a child of the holder: becomes `program`, which reads a MountHandover from `document` (memory)
// and reports to `report`. Returns only to say why that failed.
[[nodiscard]] Error exec_successor(int program, int document, int report,
                                   fs::Server::Crashed crashed);

// The other side: whether these words of a command line are those of exec_successor(), and what
// happens then. Does not return but for the exit status of a failure, after the report.
[[nodiscard]] bool is_successor(std::vector<std::string> const& words);
int run_successor(std::vector<std::string> const& words);

}  // namespace oblea::tools
