// SPDX-License-Identifier: MIT
#include "tools/mount/remove_folder.h"

#include "store/base/sys.h"
#include "tools/mount/user_namespace.h"

namespace oblea::tools {

Status remove_folder(store::Store const& store, std::string const& path) {
    auto removed = base::sys::remove_tree(store.root(), path.c_str());
    if (!removed.has_value() &&
        (removed.error().code == Errno::eacces || removed.error().code == Errno::eperm)) {
        return remove_tree_as_root_of_namespace(store.root(), path);
    }
    return removed;
}

}  // namespace oblea::tools
