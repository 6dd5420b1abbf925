// SPDX-License-Identifier: MIT
// What the upper layer says of its files beyond what stat shows: extended attributes, overlayfs'
// and our own.
//
// overlayfs' (prefix trusted.overlay. or user.overlay.): opaque ("y": nothing below shows through;
// "x": the folder holds whiteouts in xattr style), whiteout (xattr style), redirect (where a
// renamed folder's lower part lies). Ours (overlayfs' prefix and oblea., so that
// overlayfs keeps them to itself):
//   inode   "1 ORIGIN MODE": the lower inode that a copied-up file was (LowerTree::origin_key), and
//   the permissions
//           that are shown where the stored ones had to give the owner more; "-" for none
//   partial "1": of a file of the lower tree the upper has the attributes, and of its contents what
//   a map in
//           work/maps says (README.md "Partial files")
//   format  of an upper's root: "1 private" or "1 sealed" (UpperDir::State)
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

// Who owns a file, where that is recorded and not set.
struct RecordedOwner {
    std::uint32_t uid = 0;
    std::uint32_t gid = 0;
    bool operator==(RecordedOwner const&) const = default;
};

struct InodeMark {
    std::optional<std::string> origin{};
    std::optional<std::uint32_t> permissions{};
    std::optional<RecordedOwner> owner{};  // in an attribute of its own (UnionOptions)
    enum class Contents : std::uint8_t { whole, partial };
    Contents contents = Contents::whole;  // in an attribute of its own
    bool operator==(InodeMark const&) const = default;
    [[nodiscard]] bool empty() const { return !origin.has_value() && !permissions.has_value(); }
};

[[nodiscard]] std::string encode_inode_mark(InodeMark const& mark);
// Errors: EOPNOTSUPP for a later version; EUCLEAN for what is no mark.
Result<InodeMark> parse_inode_mark(std::string_view text);

struct MarkNames {
    explicit MarkNames(MarkSpace space);
    std::string overlay;  // prefix
    std::string own;      // prefix, within that of overlayfs
    std::string opaque, whiteout, redirect;
    std::string inode, impure, partial, format;
};

// Names as they are stored, and as users see them: a user's attribute within the prefix is stored
// with one more "overlay." (overlayfs.rst "Nesting overlayfs mounts"), and what carries the bare
// prefix is hidden, as is what fuse-overlayfs has left.
[[nodiscard]] std::string stored_xattr_name(MarkNames const& names, std::string_view shown);
[[nodiscard]] std::optional<std::string> shown_xattr_name(MarkNames const& names,
                                                          std::string_view stored);

}  // namespace oblea::fs
