// SPDX-License-Identifier: MIT
#include "store/shared_store.h"

#include "store/base/limits.h"
#include "store/base/sys.h"
#include "store/layer/layout.h"

#include <fmt/format.h>

namespace oblea::store {

namespace sys = base::sys;
using base::UniqueFd;

Result<bool> is_published(int root) {
    return OBLEA_TRY(sys::stat_if_exists(root, layout::kPublished)).has_value();
}

Result<UniqueFd> open_shared_store(std::string const& path) {
    auto opened = sys::openat(AT_FDCWD, path.c_str(), O_RDONLY | O_DIRECTORY);
    UniqueFd root =
        OBLEA_TRY(with_context(std::move(opened), [&] { return "the shared store " + path; }));
    if (!OBLEA_TRY(is_published(root.get()))) {
        return fail(Errno::euclean, "",
                    fmt::format("{}: not a published store; 'oblea publish' makes one", path));
    }
    return root;
}

Result<SharedStore> read_shared_store(std::string const& path) {
    UniqueFd root = OBLEA_TRY(open_shared_store(path));
    auto text =
        with_context(sys::read_file(root.get(), layout::kImages, limits::kImagesFileBytesMax),
                     [&] { return path + '/' + layout::kImages; });
    std::string const list = OBLEA_TRY(std::move(text));
    Images images = OBLEA_TRY(Images::parse(list));
    return SharedStore{.root = std::move(root), .images = std::move(images)};
}

}  // namespace oblea::store
