// SPDX-License-Identifier: MIT
// Another program takes over a mount: how its holder starts it, and what it does then.
//
// The holder stays what it is, a process that waits. Its child becomes the new program by exec and
// has the holder's descriptors; it says when it is ready to serve, or why not. Then the holder goes
// on as it did before, so that a new program that fails costs nobody the mount.
#pragma once
#include "fs/fuse/server.h"
#include "store/base/error.h"
#include "tools/mount/handover.h"
#include "tools/mount/served_mount.h"

#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace oblea::tools {

// The path of the file that a process was started from ("self", "17"), where there may be another
// one now.
Result<std::string> program_of(std::string const& process);

// In a child of the holder: becomes `program`, which reads a MountHandover from `document` (memory)
// and reports to `report`. Returns only to say why that failed.
[[nodiscard]] Error exec_successor(int program, int document, int report,
                                   fs::Server::Crashed crashed);

// The other side: whether these words of a command line are those of exec_successor(), and what
// happens then. Does not return but for the exit status of a failure, after the report.
[[nodiscard]] bool is_successor(std::vector<std::string> const& words);
// Stacks of folders are `adopt_stack`'s, as they are no part of this one.
using AdoptStack =
    std::function<Result<std::unique_ptr<ServedMount>>(MountHandover const&, fs::Server::Crashed)>;
int run_successor(std::vector<std::string> const& words, AdoptStack const& adopt_stack);

}  // namespace oblea::tools
