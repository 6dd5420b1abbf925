// SPDX-License-Identifier: MIT
#include "tools/cli/open_store.h"

#include <unistd.h>

#include <filesystem>

namespace oblea::tools {

Result<StorePath> store_path(Context const& context) {
    StorePath found;
    Setting const* const setting = context.settings.find("root");
    if (context.globals.root.has_value() && setting != nullptr) {
        if (context.globals.root->empty()) {
            return fail(Errno::einval, "",
                        setting->source + " is empty: name the folder of the store");
        }
        found = {.path = *context.globals.root, .chosen = setting->source};
    } else {
        found.path = OBLEA_TRY(store::default_store_path());
        found.chosen = ::geteuid() == 0 ? "the default of root" : "the default of users";
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
    StorePath const own = OBLEA_TRY(store_path(context));
    store::StoreOptions options{.path = own.path, .shared = context.globals.stores};
    options.limits = OBLEA_TRY(store::parse_layer_limits(context.globals.limits));
    return store::Store::open(std::move(options), store::Store::Create::if_missing);
}

}  // namespace oblea::tools
