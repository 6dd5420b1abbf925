// SPDX-License-Identifier: MIT
// An upper that fuse-overlayfs wrote, turned into overlayfs' format, which it reads as well.
//
// Each step leaves the tree as fuse-overlayfs shows it: the new mark comes first, then the old one
// goes; so a crash in between costs nothing, and the next mount goes on.
#include "fs/lower/folder_marks.h"
#include "fs/upper/upper_impl.h"

#include <dirent.h>

namespace oblea::fs {

namespace sys = base::sys;

namespace {

constexpr char const* kForeignOpaque = "user.fuseoverlayfs.opaque";

Status adopt_entry(UpperDir::Impl& upper, int folder, std::string const& name) {
    LayerName const meaning = classify_name(name);
    switch (meaning.kind) {
    case LayerName::Kind::entry:
        return {};
    case LayerName::Kind::foreign:
        break;
    case LayerName::Kind::opaque:
        OBLEA_TRY(upper.set_xattr(folder, ".", upper.names.opaque, "y"));
        break;
    case LayerName::Kind::whiteout: {
        std::string const hidden{meaning.name};
        // A file that was made again is shown, whatever stands beside it.
        if (!OBLEA_TRY(sys::stat_if_exists(folder, hidden.c_str())).has_value()) {
            OBLEA_TRY(upper.make_whiteout(folder, hidden));
        }
        break;
    }
    }
    return sys::remove_tree(folder, name.c_str());
}

Status adopt_folder(UpperDir::Impl& upper, int folder) {
    struct stat const before = OBLEA_TRY(sys::fstat(folder));
    if (OBLEA_TRY(upper.get_xattr(folder, ".", kForeignOpaque)) == "y") {
        OBLEA_TRY(upper.set_xattr(folder, ".", upper.names.opaque, "y"));
    }
    for (sys::DirEntry const& entry : OBLEA_TRY(sys::list_dir(folder))) {
        OBLEA_TRY(adopt_entry(upper, folder, entry.name));
        if (entry.type == DT_DIR && classify_name(entry.name).kind == LayerName::Kind::entry) {
            UniqueFd const inner = OBLEA_TRY(
                sys::openat(folder, entry.name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW));
            OBLEA_TRY(adopt_folder(upper, inner.get()));
        }
    }
    struct timespec const times[2] = {before.st_atim, before.st_mtim};
    return sys::utimensat(folder, ".", times);
}

}  // namespace

Status UpperDir::adopt() {
    return with_context(adopt_folder(*impl_, impl_->root.get()),
                        [] { return std::string{"marks of fuse-overlayfs in the upper folder"}; });
}

}  // namespace oblea::fs
