// SPDX-License-Identifier: MIT
#include "tools/cli/open_store.h"

#include <unistd.h>

#include <cstdlib>
#include <filesystem>

namespace oblea::tools {

Result<StorePath> store_path(Context const& context) {
    StorePath found;
    if (context.globals.root.has_value()) {
        if (context.globals.root->empty()) {
            return fail(Errno::einval, "", "--root is empty: name the folder of the store");
        }
        found = {.path = *context.globals.root, .chosen = "--root"};
    } else {
        found.path = OBLEA_TRY(store::default_store_path());
        char const* const variable = std::getenv("OBLEA_ROOT");
        if (variable != nullptr && *variable != '\0') {
            found.chosen = "OBLEA_ROOT";
        } else {
            found.chosen = ::geteuid() == 0 ? "the default of root" : "the default of users";
        }
    }
    std::error_code code;
    auto const absolute = std::filesystem::absolute(found.path, code);
    if (code) {
        return fail(static_cast<Errno>(code.value()), "getcwd", found.path);
    }
    found.path = absolute.lexically_normal().string();
    return found;
}

Result<store::Store> open_store(Context const& context) {
    return store::Store::open(OBLEA_TRY(store_path(context)).path,
                              store::Store::Create::if_missing);
}

}  // namespace oblea::tools
