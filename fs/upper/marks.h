// SPDX-License-Identifier: MIT
// What the upper layer says of its files beyond what stat shows: extended attributes, overlayfs'
// and our own.
//
// overlayfs' (prefix trusted.overlay. or user.overlay.): opaque ("y": nothing below shows through;
// "x": the folder holds whiteouts in xattr style), whiteout (xattr style), redirect (where a
// renamed folder's lower part lies). Ours (prefix trusted.oblea. or user.oblea.):
//   inode   "1 ORIGIN MODE": the lower inode that a copied-up file was (LowerTree::origin_key), and
//   the permissions
//           that are shown where the stored ones had to give the owner more; "-" for none
//   impure  "y": the folder may hold files with an origin other than that of their name (listings
//   must look)
// Trusted ones are used where we may, as overlayfs does; users have user ones, which links and
// devices cannot have (their origin is a name in work/index). Pure.
#pragma once
#include "fs/types.h"

#include <optional>
#include <string>
#include <string_view>

namespace oblea::fs {

enum class MarkSpace { trusted, user };

struct InodeMark {
    std::optional<std::string> origin{};
    std::optional<std::uint32_t> permissions{};
    bool operator==(InodeMark const&) const = default;
    [[nodiscard]] bool empty() const { return !origin.has_value() && !permissions.has_value(); }
};

[[nodiscard]] std::string encode_inode_mark(InodeMark const& mark);
// Errors: EOPNOTSUPP for a later version; EUCLEAN for what is no mark.
Result<InodeMark> parse_inode_mark(std::string_view text);

struct MarkNames {
    explicit MarkNames(MarkSpace space);
    std::string overlay;  // prefix
    std::string own;      // prefix
    std::string opaque, whiteout, redirect;
    std::string inode, impure;
};

// Names as they are stored, and as users see them: a user's attribute within our two prefixes is
// stored with one more "overlay." or "oblea." (overlayfs.rst "Nesting overlayfs mounts"), and what
// carries the bare prefix is hidden.
[[nodiscard]] std::string stored_xattr_name(MarkNames const& names, std::string_view shown);
[[nodiscard]] std::optional<std::string> shown_xattr_name(MarkNames const& names,
                                                          std::string_view stored);

}  // namespace oblea::fs
