// SPDX-License-Identifier: MIT
// User namespaces: what an ordinary user has instead of root.
//
// Everything here needs a process of one thread.
#pragma once
#include "fs/union_fs.h"
#include "store/base/error.h"
#include "tools/mount/containers.h"

#include <string>

namespace oblea::tools {

// How this process should show and store owners: as they are where it is root over many ids, else
// all as its own.
Result<OwnerIds> owner_ids_here();
fs::Owners owners_of(OwnerIds ids);

// Whether this process may make mounts in a mount namespace of its own without a user namespace.
[[nodiscard]] bool may_mount();

struct EnteredNamespace {
    OwnerIds ids = OwnerIds::squashed;
    std::string warning;  // why the ids are not complete, and the remedy; empty when they are
};

// Makes the calling process root of a new user namespace: with all subordinate ids that it has been
// given, else with its own id alone. Errors: EPERM, ENOSPC with the remedy where the system forbids
// user namespaces.
Result<EnteredNamespace> enter_user_namespace();

// Removes a tree of which parts belong to subordinate ids. Forks.
Status remove_tree_as_root_of_namespace(int dir, std::string const& path);

}  // namespace oblea::tools
