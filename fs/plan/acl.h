// SPDX-License-Identifier: MIT
// POSIX access lists, in the form that file systems keep in extended attributes: what a new inode
// gets from its folder's default list.
//
// The kernel enforces lists (POSIX_ACL is negotiated); what is decided here is inheritance alone.
// Pure; lists are checked before they are used.
// Spec: POSIX 1003.1e draft 17, 23.1.5.3 "ACL inheritance"; linux/posix_acl_xattr.h; acl(5).
#pragma once
#include "store/base/error.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace oblea::fs {

inline constexpr char kAclAccess[] = "system.posix_acl_access";
inline constexpr char kAclDefault[] = "system.posix_acl_default";

[[nodiscard]] bool is_acl(std::string_view xattr);

struct InheritedAcl {
    std::uint32_t permissions = 0;        // of the new inode, all twelve bits
    std::optional<std::string> access{};  // its access list; nullopt: the permissions say it all
};
// What an inode made with `permissions` in a folder with this default list gets; the maker's umask
// plays no part. Errors: EUCLEAN for what is no list.
Result<InheritedAcl> inherit_acl(std::string_view default_list, std::uint32_t permissions);

// The owner's entry of an access list, as the bits of permissions (0700), and the list with
// another. Errors: EUCLEAN.
Result<std::uint32_t> owner_entry(std::string_view list);
Result<std::string> with_owner_entry(std::string_view list, std::uint32_t permissions);

}  // namespace oblea::fs
