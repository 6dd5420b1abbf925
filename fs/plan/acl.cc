// SPDX-License-Identifier: MIT
#include "fs/plan/acl.h"

#include <linux/posix_acl.h>
#include <linux/posix_acl_xattr.h>

namespace oblea::fs {

namespace {

// The parts of a list: a version, then entries of a tag, permissions and an id, little-endian.
constexpr std::size_t kHeadBytes = sizeof(struct posix_acl_xattr_header);
constexpr std::size_t kEntryBytes = sizeof(struct posix_acl_xattr_entry);
static_assert(kHeadBytes == 4 && kEntryBytes == 8);
constexpr std::uint32_t kAllPermissions = 07U;

std::uint32_t number_at(std::string_view text, std::size_t at, std::size_t bytes) {
    std::uint32_t value = 0;
    for (std::size_t i = 0; i < bytes; ++i) {
        value |= std::uint32_t{static_cast<unsigned char>(text[at + i])} << (8 * i);
    }
    return value;
}

// One entry of a list that is being changed.
class AclEntry {
public:
    AclEntry(std::string& list, std::size_t at) : list_(&list), at_(at) {}
    [[nodiscard]] std::uint32_t tag() const { return number_at(*list_, at_, 2); }
    [[nodiscard]] std::uint32_t permissions() const { return number_at(*list_, at_ + 2, 2); }
    // Takes away what `bits` does not have; gives what is left.
    std::uint32_t restrict_to(std::uint32_t bits) {
        return set(permissions() & bits & kAllPermissions);
    }
    std::uint32_t set(std::uint32_t bits) {
        (*list_)[at_ + 2] = static_cast<char>(bits);
        (*list_)[at_ + 3] = 0;
        return bits;
    }

private:
    std::string* list_;
    std::size_t at_;
};

Status check(std::string_view list) {
    if (list.size() < kHeadBytes || (list.size() - kHeadBytes) % kEntryBytes != 0 ||
        number_at(list, 0, kHeadBytes) != POSIX_ACL_XATTR_VERSION) {
        return fail(Errno::euclean, "acl", "a damaged access list");
    }
    return {};
}

}  // namespace

bool is_acl(std::string_view xattr) {
    return xattr == kAclAccess || xattr == kAclDefault;
}

Result<InheritedAcl> inherit_acl(std::string_view default_list, std::uint32_t permissions) {
    OBLEA_TRY(check(default_list));
    std::string list{default_list};
    std::uint32_t owner = 0;
    std::uint32_t group = 0;
    std::uint32_t others = 0;
    std::optional<std::uint32_t> mask;
    bool named = false;  // users or groups beyond the three classes
    // The mask, or the group's entry without one, is what the group class is allowed.
    std::size_t group_at = 0;
    for (std::size_t at = kHeadBytes; at < list.size(); at += kEntryBytes) {
        AclEntry entry{list, at};
        switch (entry.tag()) {
        case ACL_USER_OBJ:
            owner = entry.restrict_to(permissions >> 6U);
            break;
        case ACL_GROUP_OBJ:
            group_at = at;
            break;
        case ACL_MASK:
            mask = entry.restrict_to(permissions >> 3U);
            break;
        case ACL_OTHER:
            others = entry.restrict_to(permissions);
            break;
        case ACL_USER:
        case ACL_GROUP:
            named = true;
            break;
        default:
            return fail(Errno::euclean, "acl", "a damaged access list");
        }
    }
    if (group_at == 0 || (named && !mask.has_value())) {
        return fail(Errno::euclean, "acl", "a damaged access list");
    }
    if (!mask.has_value()) {
        group = AclEntry{list, group_at}.restrict_to(permissions >> 3U);
    }
    InheritedAcl inherited{.permissions = (permissions & 07000U) | (owner << 6U) |
                                          (mask.value_or(group) << 3U) | others};
    if (mask.has_value()) {
        inherited.access = std::move(list);
    }
    return inherited;
}

Result<std::uint32_t> owner_entry(std::string_view list) {
    OBLEA_TRY(check(list));
    for (std::size_t at = kHeadBytes; at < list.size(); at += kEntryBytes) {
        if (number_at(list, at, 2) == ACL_USER_OBJ) {
            return (number_at(list, at + 2, 2) & kAllPermissions) << 6U;
        }
    }
    return fail(Errno::euclean, "acl", "a damaged access list");
}

Result<std::string> with_owner_entry(std::string_view list, std::uint32_t permissions) {
    OBLEA_TRY(check(list));
    std::string changed{list};
    for (std::size_t at = kHeadBytes; at < changed.size(); at += kEntryBytes) {
        AclEntry entry{changed, at};
        if (entry.tag() == ACL_USER_OBJ) {
            entry.set((permissions >> 6U) & kAllPermissions);
        }
    }
    return changed;
}

}  // namespace oblea::fs
