// SPDX-License-Identifier: MIT
// Looks into a container's tree as a program in it sees it, whether it is mounted or not.
#pragma once
#include "store/base/unique_fd.h"
#include "store/store.h"
#include "tools/mount/containers.h"

#include <functional>
#include <string>

namespace oblea::tools {

struct ContainerView {
    store::Store const& store;
    Container const& container;
    int root;                 // the root of its tree, open for reading
    std::string const& path;  // where that is, for this process
    int upper;                // the root of its writable layer, the same
    int extra;                // the descriptor that look_into() was given
};

// Calls `look` in a child process that sees the tree with the owners that it has: in the namespaces
// of whoever has it mounted, else in namespaces of its own where it is mounted for so long. `look`
// may print, and gives what the caller gets. `extra` is handed on (-1: none). The calling process
// has one thread. Errors: those of the mount and of `look`; ESRCH when the server ended meanwhile.
Result<std::string> look_into(store::Store const& store, Container const& container, int extra,
                              std::function<Result<std::string>(ContainerView const&)> const& look);

}  // namespace oblea::tools
