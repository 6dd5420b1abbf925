// SPDX-License-Identifier: MIT
#include "tools/overlay/overlay_union.h"

#include "store/base/sys.h"

#include <unistd.h>

namespace oblea::tools {
namespace {

namespace sys = base::sys;

// Whether attributes of the trusted space are ours to read: else users' are believed, as overlayfs
// does with userxattr.
bool sees_trusted_xattrs() {
    if (::geteuid() != 0) {
        return false;
    }
    auto const map = sys::read_file(AT_FDCWD, "/proc/self/uid_map", 4096);
    return map.has_value() && map->find("4294967295") != std::string::npos;
}

}  // namespace

fs::FolderLowerOptions lower_options(OverlayOptions const& options) {
    using Lower = fs::FolderLowerOptions;
    Lower lower{.redirects =
                    sees_trusted_xattrs() ? Lower::Redirects::trusted : Lower::Redirects::user};
    if (options.redirects == OverlayOptions::Redirects::ignored) {
        lower.redirects = Lower::Redirects::none;
    }
    if (options.folder_links == OverlayOptions::FolderLinks::one) {
        lower.folder_links = Lower::FolderLinks::one;
    }
    return lower;
}

fs::UnionOptions union_options(OverlayOptions const& options) {
    fs::UnionOptions result{.fresh_root = fs::FreshRoot::of_upper};
    // So that little is left to do when the upper folder is sealed at the end.
    result.blocks.complete = fs::CopyUpBlocks::Complete::everything;
    if (options.owners != fs::OwnerMaps{}) {
        result.owners = {.kind = fs::Owners::Kind::mapped, .maps = options.owners};
    }
    if (options.durability == OverlayOptions::Durability::none) {
        result.durable = fs::Durable::no;
    }
    result.override_xattr = options.override_xattr;
    switch (options.xattrs) {
    case OverlayOptions::Xattrs::all:
        break;
    case OverlayOptions::Xattrs::without_acls:
        result.xattrs = fs::Xattrs::without_acls;
        break;
    case OverlayOptions::Xattrs::none:
        result.xattrs = fs::Xattrs::none;
        break;
    }
    return result;
}

}  // namespace oblea::tools
