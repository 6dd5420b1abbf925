// SPDX-License-Identifier: MIT
// The values of RUN --mount. Pure.
//
// Spec: Dockerfile reference "RUN --mount".
#pragma once
#include "tools/build/dockerfile/dockerfile.h"

#include <string_view>

namespace oblea::tools::dockerfile {

// "type=cache,target=/root/.npm": fields as in a line of CSV. Errors: EINVAL for a key that is none
// (with the nearest one), a variable where the language allows none, open quotes.
Result<Run::MountOptions> parse_mount_options(std::string_view text);

// What they say when their variables are replaced. Errors: EINVAL for a wrong value or keys that do
// not go together; EOPNOTSUPP for type=ssh.
Result<Mount> plan_mount(Run::MountOptions const& options, char escape, Lookup const& lookup);

}  // namespace oblea::tools::dockerfile
