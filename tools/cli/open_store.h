// SPDX-License-Identifier: MIT
// The store that a command works on.
#pragma once
#include "store/store.h"
#include "tools/cli/context.h"

namespace oblea::tools {

struct StorePath {
    std::string path;    // absolute
    std::string chosen;  // "--root", "OBLEA_ROOT", "/etc/oblea/oblea.toml:1", "the default of root"
};

// As --root or the settings say, else the default of the user.
Result<StorePath> store_path(Context const& context);

// Opens it, and makes it when it is missing.
Result<store::Store> open_store(Context const& context);

}  // namespace oblea::tools
