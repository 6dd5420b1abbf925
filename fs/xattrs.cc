// SPDX-License-Identifier: MIT
// Extended attributes. Those of the overlay itself are hidden, and users' of the same name kept
// apart (upper/marks.h).
#include "fs/union_impl.h"

#include "fs/plan/acl.h"

#include <sys/xattr.h>

namespace oblea::fs {

namespace {

// EOPNOTSUPP for setting those that the mount goes without, or keeps for itself.
Status check_offered(UnionOptions const& options, std::string_view name) {
    Xattrs const offered = options.xattrs;
    if (offered == Xattrs::none || (offered == Xattrs::without_acls && is_acl(name)) ||
        name == options.override_xattr) {
        return fail(Errno::eopnotsupp, "xattr");
    }
    return {};
}

// xattr(7): files and folders alone have user attributes.
Status check_namespace(FileType type, std::string_view name) {
    bool const is_user = name.starts_with("user.");
    if (is_user && type != FileType::regular && type != FileType::directory) {
        return fail(Errno::eperm, "setxattr");
    }
    if (is_acl(name) && type == FileType::symlink) {
        return fail(Errno::eopnotsupp, "setxattr");
    }
    return {};
}

}  // namespace

Result<std::optional<std::string>> UnionFs::getxattr(Ino ino, std::string_view name) {
    if (!check_offered(impl_->options, name).has_value()) {
        // Not EOPNOTSUPP: the kernel, which asks for access lists, would refuse access.
        return std::optional<std::string>{};
    }
    auto value = OBLEA_TRY(impl_->xattr_of(ino, name));
    if (value.has_value() && name == kAclAccess) {
        // The owner's entry is what is shown, not the more that may be stored.
        auto const node = impl_->nodes.find(ino);
        if (node.has_value() && node->permissions.has_value()) {
            return OBLEA_TRY(with_owner_entry(*value, *node->permissions));
        }
    }
    return value;
}

Result<std::optional<std::string>> UnionFs::Impl::xattr_of(Ino ino, std::string_view name) {
    Impl& fs = *this;
    auto const node = fs.nodes.find(ino);
    if (!node.has_value() || !is_in_upper(node->state)) {
        if (!is_lower_number(ino)) {
            return fail(Errno::estale, "getxattr");
        }
        return fs.lower->xattr(lower_of(ino), name);
    }
    std::string const stored = stored_xattr_name(fs.up().names, name);
    if (node->type == FileType::regular) {
        return sys::fgetxattr(OBLEA_TRY(fs.file_fd(ino))->get(), stored.c_str());
    }
    auto const lock = fs.folder_locks.share(node->parent);
    Node current;
    OBLEA_TRY(fs.stat_node(ino, current));
    Located const at = OBLEA_TRY(fs.locate(current));
    return fs.up().get_xattr(at.folder->get(), at.name, stored);
}

Result<std::vector<std::string>> UnionFs::listxattr(Ino ino) {
    auto names = OBLEA_TRY(impl_->list_xattrs(ino));
    std::erase_if(names, [&](std::string const& name) {
        return !check_offered(impl_->options, name).has_value();
    });
    return names;
}

Result<std::vector<std::string>> UnionFs::Impl::list_xattrs(Ino ino) {
    Impl& fs = *this;
    std::vector<std::string> names;
    auto const node = fs.nodes.find(ino);
    if (!node.has_value() || !is_in_upper(node->state)) {
        if (!is_lower_number(ino)) {
            return fail(Errno::estale, "listxattr");
        }
        return fs.lower->xattr_names(lower_of(ino));
    }
    auto const lock = fs.folder_locks.share(node->parent);
    Node current;
    OBLEA_TRY(fs.stat_node(ino, current));
    Located const at = OBLEA_TRY(fs.locate(current));
    for (std::string const& stored : OBLEA_TRY(fs.up().list_xattrs(at.folder->get(), at.name))) {
        if (auto shown = shown_xattr_name(fs.up().names, stored)) {
            names.push_back(*std::move(shown));
        }
    }
    return names;
}

Status
UnionFs::Impl::change_xattr(Ino ino,
                            std::function<Status(Node const&, Located const&)> const& change) {
    if (OBLEA_TRY(type_of(ino)) == FileType::directory) {
        OBLEA_TRY(ensure_upper_folder(ino));
    } else {
        OBLEA_TRY(ensure_upper(ino, {}));
    }
    auto const before = nodes.find(ino);
    if (!before.has_value()) {
        return fail(Errno::estale, "setxattr");
    }
    auto const names = folder_locks.share(before->parent);
    base::LockGuard const lock{inode_locks.of(ino).mutex};
    Node node;
    OBLEA_TRY(stat_node(ino, node));
    Located const at = OBLEA_TRY(locate(node));
    return change(node, at);
}

// An access list is permissions too. Where those bind us, more is stored of the owner's than shown.
Status UnionFs::Impl::set_access_list(Node const& node, Located const& at, std::string_view list,
                                      int flags) {
    int const dir = at.folder->get();
    if (up().rights != UpperDir::Impl::Rights::bound) {
        return up().set_xattr(dir, at.name, kAclAccess, list, flags);
    }
    auto const owner = owner_entry(list);
    if (!owner.has_value()) {
        return fail(Errno::einval, "setxattr");
    }
    std::string const stored =
        OBLEA_TRY(with_owner_entry(list, stored_permissions(node.type, *owner)));
    OBLEA_TRY(up().set_xattr(dir, at.name, kAclAccess, stored, flags));
    struct stat const after = OBLEA_TRY(sys::fstatat(dir, at.name.c_str()));
    return set_permissions(node, at, (after.st_mode & 07077U) | *owner);
}

Status UnionFs::setxattr(Ino ino, std::string const& name, std::string_view value, int flags) {
    Impl& fs = *impl_;
    OBLEA_TRY(fs.need_upper());
    OBLEA_TRY(check_offered(fs.options, name));
    FileType const type = OBLEA_TRY(fs.type_of(ino));
    OBLEA_TRY(check_namespace(type, name));
    if (flags != 0) {
        bool const there = OBLEA_TRY(getxattr(ino, name)).has_value();
        if ((flags & XATTR_CREATE) != 0 && there) {
            return fail(Errno::eexist, "setxattr");
        }
        if ((flags & XATTR_REPLACE) != 0 && !there) {
            return fail(Errno::enodata, "setxattr");
        }
    }
    return fs.change_xattr(ino, [&](Node const& node, Located const& at) -> Status {
        if (name == kAclAccess) {
            return fs.set_access_list(node, at, value, flags);
        }
        return fs.up().set_xattr(at.folder->get(), at.name, stored_xattr_name(fs.up().names, name),
                                 value, flags);
    });
}

Status UnionFs::removexattr(Ino ino, std::string const& name) {
    Impl& fs = *impl_;
    OBLEA_TRY(fs.need_upper());
    OBLEA_TRY(check_offered(fs.options, name));
    FileType const type = OBLEA_TRY(fs.type_of(ino));
    OBLEA_TRY(check_namespace(type, name));
    if (!OBLEA_TRY(getxattr(ino, name)).has_value()) {
        return fail(Errno::enodata, "removexattr");
    }
    return fs.change_xattr(ino, [&](Node const&, Located const& at) {
        return fs.up().remove_xattr(at.folder->get(), at.name,
                                    stored_xattr_name(fs.up().names, name));
    });
}

}  // namespace oblea::fs
