// SPDX-License-Identifier: MIT
// The process that a chroot's server and command are children of.
#pragma once
#include "tools/mount/chroot.h"

namespace oblea::tools {

// Enters the namespaces for good, so it must be a process of its own; returns when the command has
// ended and everything is tidied up. Processes that the command leaves behind are ended: their file
// system goes.
Result<ChrootResult> keep_chroot(store::StoreOptions const& store_options,
                                 ChrootRequest const& request);

}  // namespace oblea::tools
