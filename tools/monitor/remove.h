// SPDX-License-Identifier: MIT
// Removing containers as `rm` does it: what runs or is mounted stays, unless that is asked for.
#pragma once
#include "store/store.h"
#include "tools/mount/containers.h"

namespace oblea::tools {

enum class EndFirst { no, yes };
enum class UnnamedVolumes { keep, remove };

struct Removal {
    EndFirst end = EndFirst::no;
    UnnamedVolumes volumes = UnnamedVolumes::keep;  // those that nobody else uses
};

// With EndFirst::yes it is stopped and unmounted before; afterwards nothing of it is mounted.
// Errors: EBUSY naming what to do.
Status remove_unused(store::Store const& store, Container const& container, Removal const& how);

}  // namespace oblea::tools
