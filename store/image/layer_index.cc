// SPDX-License-Identifier: MIT
#include "store/image/layer_index.h"

#include "store/base/sys.h"
#include "store/layer/layout.h"

#include <fmt/format.h>

namespace oblea::store {

namespace sys = base::sys;

Result<Index> open_layer_index(int root, Digest const& layer) {
    std::string const path = layout::layer_index(layer);
    auto file = sys::openat(root, path.c_str(), O_RDONLY | O_NOFOLLOW);
    if (!file.has_value() && file.error().code == Errno::enoent) {
        return fail(Errno::enoent, "",
                    fmt::format("layer {} is missing from the store", layer.to_string()));
    }
    base::UniqueFd opened = OBLEA_TRY(with_context(std::move(file), [&] { return path; }));
    return Index::open(std::move(opened), path);
}

}  // namespace oblea::store
