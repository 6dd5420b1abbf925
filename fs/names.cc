// SPDX-License-Identifier: MIT
// Names that come and go: lookup, make, link, unlink, rmdir. Plans are in plan/name_plans.h.
#include "fs/union_impl.h"

#include "fs/plan/acl.h"
#include "store/index/file_mode.h"

#include <linux/fs.h>
#include <sys/sysmacros.h>

namespace oblea::fs {

// --- lookup ---

Result<std::optional<Entry>> UnionFs::lookup(Ino parent, Name const& name) {
    Impl& fs = *impl_;
    FolderView folder = OBLEA_TRY(fs.view(parent));
    std::optional<Child> child;
    if (!folder.has_upper) {
        child = OBLEA_TRY(fs.find_child(folder, name.string()));
        if (child.has_value()) {
            fs.grant(child->ino);
        }
    } else {
        auto const lock = fs.folder_locks.share(parent);
        folder = OBLEA_TRY(fs.view(parent));
        child = OBLEA_TRY(fs.find_child(folder, name.string()));
        if (child.has_value()) {
            fs.grant(child->ino);
        }
    }
    if (!child.has_value()) {
        return std::optional<Entry>{};
    }
    auto attr = fs.attr_of(child->ino);
    if (!attr.has_value()) {
        forget(child->ino, 1);
        return std::unexpected<Error>(std::move(attr).error());
    }
    return std::optional{Entry{.attr = *attr}};
}

void UnionFs::forget(Ino ino, std::uint64_t count) {
    Impl& fs = *impl_;
    if (fs.upper == nullptr) {
        return;
    }
    if (is_lower_number(ino)) {
        if (!fs.counts.contains(number(ino))) {
            return;
        }
        fs.counts.forget(number(ino), count);
        if (fs.counts.has_node(number(ino)) && !fs.counts.known(number(ino))) {
            fs.drop_if_gone(ino);
            fs.collect(ino);
        }
        return;
    }
    static_cast<void>(
        fs.nodes.update(ino, [&](Node& node) { node.lookups -= std::min(node.lookups, count); }));
    fs.collect(ino);
}

// --- new inodes ---

Result<std::optional<std::string>> UnionFs::Impl::default_acl(int folder) const {
    auto list = up().get_xattr(folder, ".", kAclDefault);
    if (!list.has_value() && list.error().code == Errno::eopnotsupp) {
        return std::optional<std::string>{};
    }
    return list;
}

Result<UnionFs::Impl::NewAttrs> UnionFs::Impl::new_attrs(NewNode const& node, Parent const& parent,
                                                         Caller const& caller) const {
    NewAttrs attrs;
    std::uint32_t shown = node.permissions & 07777U;
    if (node.type == FileType::symlink) {
        // Neither mask nor list is for links.
    } else if (parent.default_acl.has_value()) {
        InheritedAcl inherited = OBLEA_TRY(inherit_acl(*parent.default_acl, shown));
        shown = inherited.permissions;
        attrs.access_acl = std::move(inherited.access);
        if (node.type == FileType::directory) {
            attrs.default_acl = parent.default_acl;
        }
    } else {
        shown &= ~caller.umask;
    }
    bool const inherits = (parent.permissions & S_ISGID) != 0;
    if (inherits && node.type == FileType::directory) {
        shown |= 02000U;
    }
    attrs.permissions = shown;
    if (up().rights == UpperDir::Impl::Rights::bound) {
        attrs.permissions = stored_permissions(node.type, shown);
        if (attrs.permissions != shown) {
            attrs.mark.permissions = shown;
        }
    }
    if (records(node.type)) {
        attrs.mark.permissions = shown;
        attrs.mark.owner = RecordedOwner{caller.uid, inherits ? parent.gid : caller.gid};
        attrs.permissions = recorded_permissions(node.type, shown);
        return attrs;
    }
    attrs.owner = OBLEA_TRY(stored_owner(caller.uid, caller.gid));
    if (inherits) {
        attrs.owner.gid = parent.gid;
    }
    return attrs;
}

Result<UniqueFd> UnionFs::Impl::create_at(int dir, std::string const& name, NewNode const& node,
                                          std::uint32_t permissions) const {
    switch (node.type) {
    case FileType::regular:
        return sys::openat(dir, name.c_str(), O_RDWR | O_CREAT | O_EXCL, permissions);
    case FileType::directory:
        OBLEA_TRY(sys::mkdirat(dir, name.c_str(), permissions));
        break;
    case FileType::symlink:
        OBLEA_TRY(sys::symlinkat(node.symlink_target, dir, name.c_str()));
        break;
    default:
        OBLEA_TRY(sys::mknodat(dir, name.c_str(), store::mode_of(node.type) | permissions,
                               makedev(node.device.major, node.device.minor)));
    }
    return UniqueFd{};
}

Status UnionFs::Impl::build_node(std::string const& temp, NewNode const& node,
                                 NewAttrs const& attrs, AddPlan::Opaque opaque) {
    int const tmp = up().tmp.get();
    OBLEA_TRY(create_at(tmp, temp, node, attrs.permissions));
    OBLEA_TRY(give_owner(tmp, temp, attrs.owner));
    if (node.type != FileType::symlink) {
        OBLEA_TRY(sys::fchmodat(tmp, temp.c_str(), attrs.permissions));
    }
    if (attrs.access_acl.has_value()) {
        std::string const list = OBLEA_TRY(with_owner_entry(*attrs.access_acl, attrs.permissions));
        OBLEA_TRY(up().set_xattr(tmp, temp, kAclAccess, list));
    }
    if (attrs.default_acl.has_value()) {
        OBLEA_TRY(up().set_xattr(tmp, temp, kAclDefault, *attrs.default_acl));
    }
    if (attrs.mark.owner.has_value()) {
        OBLEA_TRY(write_record(tmp, temp, *attrs.mark.owner, *attrs.mark.permissions));
    } else if (!attrs.mark.empty()) {
        OBLEA_TRY(up().write_mark(tmp, temp, attrs.mark));
    }
    if (opaque == AddPlan::Opaque::yes) {
        OBLEA_TRY(up().set_xattr(tmp, temp, up().names.opaque, "y"));
    }
    return {};
}

Status UnionFs::Impl::install(std::string const& temp, int dir, std::string const& name,
                              AddPlan const& plan) {
    int const tmp = up().tmp.get();
    switch (plan.step) {
    case AddPlan::Step::make:
        return sys::renameat2(tmp, temp.c_str(), dir, name.c_str(), RENAME_NOREPLACE);
    case AddPlan::Step::replace_whiteout:
        return sys::renameat2(tmp, temp.c_str(), dir, name.c_str());
    case AddPlan::Step::exchange_whiteout:
        OBLEA_TRY(sys::renameat2(tmp, temp.c_str(), dir, name.c_str(), RENAME_EXCHANGE));
        // Now it is done; a whiteout that stays in work/tmp goes at the next mount.
        static_cast<void>(sys::unlinkat(tmp, temp.c_str()));
        return {};
    }
    return fail(Errno::einval);
}

Result<Ino> UnionFs::Impl::add_node(FolderView const& folder, std::string const& name,
                                    InUpper upper_seen, NewNode const& node, Caller const& caller) {
    NameState const state = OBLEA_TRY(state_of(folder, name, std::nullopt, upper_seen));
    AddPlan const plan = OBLEA_TRY(plan_add(state, node.type));
    SharedFd const dir = OBLEA_TRY(folder_fd(folder.ino));
    struct stat const info = OBLEA_TRY(sys::fstat(dir->get()));
    Parent parent{info.st_mode, info.st_gid, std::nullopt};
    parent.default_acl = OBLEA_TRY(default_acl(dir->get()));
    auto const parent_node = nodes.find(folder.ino);
    if (parent_node.has_value() && parent_node->owner.has_value()) {
        parent.gid = parent_node->owner->gid;
        parent.permissions = parent_node->permissions.value_or(parent.permissions);
    }
    NewAttrs const attrs = OBLEA_TRY(new_attrs(node, parent, caller));
    // In one step where everything comes out right by itself; else out of sight first.
    std::uint32_t const natural_gid = (parent.permissions & S_ISGID) != 0 ? parent.gid : up().gid;
    bool const at_once = plan.step == AddPlan::Step::make && plan.opaque == AddPlan::Opaque::no &&
                         attrs.mark.empty() && !parent.default_acl.has_value() &&
                         (attrs.permissions & (up().umask | 06000U)) == 0 &&
                         attrs.owner.uid.value_or(up().uid) == up().uid &&
                         attrs.owner.gid.value_or(natural_gid) == natural_gid;
    UniqueFd file;
    if (at_once) {
        file = OBLEA_TRY(create_at(dir->get(), name, node, attrs.permissions));
    } else {
        std::string const temp = up().temp_name();
        ScopeExit discard{
            [&] { static_cast<void>(sys::remove_tree(up().tmp.get(), temp.c_str())); }};
        OBLEA_TRY(build_node(temp, node, attrs, plan.opaque));
        OBLEA_TRY(install(temp, dir->get(), name, plan));
        discard.dismiss();
    }
    struct stat const made =
        OBLEA_TRY(file.valid() ? sys::fstat(file.get()) : sys::fstatat(dir->get(), name.c_str()));
    Ino const ino = new_ino(made.st_ino);
    static_cast<void>(nodes.update(folder.ino, [](Node& above) { ++above.children; }));
    nodes.insert(Node{.ino = ino,
                      .type = node.type,
                      .state = FileState::upper,
                      .place = Place::entry,
                      .parent = folder.ino,
                      .name = name,
                      .upper_ino = made.st_ino,
                      .subfolders = node.type == FileType::directory ? 0 : -1,
                      .permissions = attrs.mark.permissions,
                      .owner = attrs.mark.owner,
                      .lookups = 1},
                 [](Node&, NodeTable::Inserted) {});
    if (file.valid()) {
        // Who makes a file goes on with it.
        files.put(ino, std::make_shared<UniqueFd const>(std::move(file)));
    }
    if (node.type == FileType::directory) {
        count_subfolder(folder.ino, 1);
    }
    return ino;
}

Result<Ino> UnionFs::Impl::make_node(Ino parent, Name const& name, NewNode const& node,
                                     Caller const& caller) {
    OBLEA_TRY(need_upper());
    if (node.type == FileType::char_device && node.device == DeviceNumber{}) {
        return fail(Errno::eperm, "mknod", "device 0:0 is a whiteout in the upper layer");
    }
    if (!takes_changes(parent)) {
        // So that what fails leaves no trace of a copy-up.
        Peeked const seen = OBLEA_TRY(peek(parent, name.string()));
        if (seen.folder.linkage == Linkage::unlinked) {
            return fail(Errno::enoent, "create");
        }
        if (seen.child.has_value()) {
            return fail(Errno::eexist, "create");
        }
    }
    OBLEA_TRY(ensure_upper_folder(parent));
    FolderLocks::Exclusive const lock{folder_locks, {parent}};
    FolderView const folder = OBLEA_TRY(view(parent));
    if (folder.linkage == Linkage::unlinked) {
        return fail(Errno::enoent, "create");
    }
    Sight const sight = OBLEA_TRY(look(folder, name.string()));
    if (sight.child.has_value()) {
        return fail(Errno::eexist, "create");
    }
    return add_node(folder, name.string(), sight.upper, node, caller);
}

Result<Entry> UnionFs::make(Ino parent, Name const& name, NewNode const& node,
                            Caller const& caller) {
    Ino const ino = OBLEA_TRY(impl_->make_node(parent, name, node, caller));
    auto attr = impl_->attr_of(ino);
    if (!attr.has_value()) {
        forget(ino, 1);
        return std::unexpected<Error>(std::move(attr).error());
    }
    return Entry{.attr = *attr};
}

Result<UnionFs::Created> UnionFs::create(Ino parent, Name const& name, std::uint32_t permissions,
                                         Caller const& caller) {
    Entry const entry = OBLEA_TRY(
        make(parent, name, {.type = FileType::regular, .permissions = permissions}, caller));
    impl_->add_open(entry.attr.ino);
    return Created{entry, Handle{number(entry.attr.ino)}};
}

Result<UnionFs::Created> UnionFs::create_unnamed(Ino parent, std::uint32_t permissions,
                                                 Caller const& caller) {
    Impl& fs = *impl_;
    OBLEA_TRY(fs.need_upper());
    if (OBLEA_TRY(fs.type_of(parent)) != FileType::directory) {
        return fail(Errno::enotdir, "tmpfile");
    }
    Attr const folder = OBLEA_TRY(fs.attr_of(parent));
    auto const group = OBLEA_TRY(fs.stored_owner(std::nullopt, folder.gid));
    Impl::Parent like{folder.permissions, group.gid.value_or(folder.gid), std::nullopt};
    like.default_acl = OBLEA_TRY(fs.xattr_of(parent, kAclDefault));
    NewNode const node{.type = FileType::regular, .permissions = permissions};
    auto const attrs = OBLEA_TRY(fs.new_attrs(node, like, caller));
    std::string const temp = fs.up().temp_name();
    ScopeExit discard{
        [&] { static_cast<void>(sys::unlink_if_exists(fs.up().tmp.get(), temp.c_str())); }};
    OBLEA_TRY(fs.build_node(temp, node, attrs, AddPlan::Opaque::no));
    std::uint64_t const upper_ino = OBLEA_TRY(sys::fstatat(fs.up().tmp.get(), temp.c_str())).st_ino;
    Ino const ino = new_ino(upper_ino);
    std::string const orphan = std::to_string(number(ino));
    OBLEA_TRY(
        sys::renameat2(fs.up().tmp.get(), temp.c_str(), fs.up().orphans.get(), orphan.c_str()));
    discard.dismiss();
    fs.nodes.insert(Node{.ino = ino,
                         .type = FileType::regular,
                         .state = FileState::upper,
                         .linkage = Linkage::unlinked,
                         .place = Place::orphan,
                         .name = orphan,
                         .upper_ino = upper_ino,
                         .linkable = Node::Linkable::yes,
                         .permissions = attrs.mark.permissions,
                         .owner = attrs.mark.owner,
                         .lookups = 1,
                         .opens = 1},
                    [](Node&, NodeTable::Inserted) {});
    auto attr = fs.attr_of(ino);
    if (!attr.has_value()) {
        release(Handle{number(ino)});
        forget(ino, 1);
        return std::unexpected<Error>(std::move(attr).error());
    }
    return Created{Entry{.attr = *attr}, Handle{number(ino)}};
}

// --- links ---

Status UnionFs::Impl::mark_impure(Ino folder, Ino child) {
    auto const node = nodes.find(folder);
    if (!is_lower_number(child) || !node.has_value() || node->impure == Node::Impure::yes) {
        return {};
    }
    SharedFd const dir = OBLEA_TRY(folder_fd(folder));
    OBLEA_TRY(up().set_xattr(dir->get(), ".", up().names.impure, "y"));
    static_cast<void>(nodes.update(folder, [](Node& n) { n.impure = Node::Impure::yes; }));
    return {};
}

Status UnionFs::Impl::add_link(Node const& node, FolderView const& folder, std::string const& name,
                               InUpper upper_seen) {
    NameState const state = OBLEA_TRY(state_of(folder, name, std::nullopt, upper_seen));
    AddPlan const plan = OBLEA_TRY(plan_add(state, node.type));
    OBLEA_TRY(mark_impure(folder.ino, node.ino));
    SharedFd const dir = OBLEA_TRY(folder_fd(folder.ino));
    Located const at = OBLEA_TRY(locate(node));
    if (node.linkage == Linkage::unlinked) {
        // Made without a name: this is the first.
        OBLEA_TRY(sys::renameat2(at.folder->get(), at.name.c_str(), dir->get(), name.c_str()));
        static_cast<void>(nodes.update(folder.ino, [](Node& n) { ++n.children; }));
        static_cast<void>(nodes.update(node.ino, [&](Node& n) {
            n.linkage = Linkage::linked;
            n.linkable = Node::Linkable::no;
            n.place = Place::entry;
            n.parent = folder.ino;
            n.name = name;
        }));
        return {};
    }
    if (plan.step == AddPlan::Step::make) {
        return sys::linkat(at.folder->get(), at.name.c_str(), dir->get(), name.c_str());
    }
    std::string const temp = up().temp_name();
    OBLEA_TRY(sys::linkat(at.folder->get(), at.name.c_str(), up().tmp.get(), temp.c_str()));
    ScopeExit discard{
        [&] { static_cast<void>(sys::unlink_if_exists(up().tmp.get(), temp.c_str())); }};
    OBLEA_TRY(install(temp, dir->get(), name, plan));
    discard.dismiss();
    return {};
}

Result<Entry> UnionFs::link(Ino ino, Ino new_parent, Name const& new_name) {
    Impl& fs = *impl_;
    OBLEA_TRY(fs.need_upper());
    if (OBLEA_TRY(fs.type_of(ino)) == FileType::directory) {
        return fail(Errno::eperm, "link");
    }
    {
        Impl::Peeked const seen = OBLEA_TRY(fs.peek(new_parent, new_name.string()));
        if (seen.folder.linkage == Linkage::unlinked) {
            return fail(Errno::enoent, "link");
        }
        if (seen.child.has_value()) {
            return fail(Errno::eexist, "link");
        }
        auto const node = fs.nodes.find(ino);
        if (node.has_value() && node->linkage == Linkage::unlinked &&
            node->linkable == Node::Linkable::no) {
            return fail(Errno::enoent, "link");
        }
    }
    OBLEA_TRY(fs.ensure_upper_folder(new_parent));
    OBLEA_TRY(fs.ensure_upper(ino, {}));
    for (;;) {
        auto node = fs.nodes.find(ino);
        if (!node.has_value()) {
            return fail(Errno::estale, "link");
        }
        Ino const parent = node->parent;
        FolderLocks::Exclusive const lock{fs.folder_locks, {new_parent, parent}};
        node = fs.nodes.find(ino);
        if (!node.has_value() || node->parent != parent) {
            continue;
        }
        FolderView const folder = OBLEA_TRY(fs.view(new_parent));
        if (folder.linkage == Linkage::unlinked ||
            (node->linkage == Linkage::unlinked && node->linkable == Node::Linkable::no)) {
            return fail(Errno::enoent, "link");
        }
        Sight const sight = OBLEA_TRY(fs.look(folder, new_name.string()));
        if (sight.child.has_value()) {
            return fail(Errno::eexist, "link");
        }
        OBLEA_TRY(fs.add_link(*node, folder, new_name.string(), sight.upper));
        break;
    }
    return fs.grant_entry(ino);
}

// --- removal ---

void UnionFs::Impl::count_subfolder(Ino folder, int change) {
    static_cast<void>(nodes.update(folder, [&](Node& node) {
        if (node.subfolders >= 0) {
            node.subfolders += change;
        }
    }));
}

Result<bool> UnionFs::Impl::is_empty(Ino folder) {
    return OBLEA_TRY(list_folder(folder)).entries.empty();
}

Status UnionFs::Impl::lose_lower_name(Ino ino, FileType type) {
    InodeNo const from = lower_of(ino);
    bool last = true;
    if (type != FileType::directory) {
        auto const node = nodes.find(ino);
        bool const anchored = node.has_value() && node->place == Place::index;
        if (OBLEA_TRY(counts_names(ino))) {
            OBLEA_TRY(cover_lower_name(ino));
            last = OBLEA_TRY(lower_names_left(from)) == 0;
        }
        if (anchored) {
            finish_anchored(ino);
            return {};
        }
    }
    if (!last || (!nodes.known(ino) && !nodes.find(ino).has_value())) {
        return {};
    }
    // The kernel may ask for it: what it was, without a name.
    nodes.insert(Node{.ino = ino, .type = type, .linkage = Linkage::unlinked},
                 [](Node& node, NodeTable::Inserted) {
                     if (node.place != Place::index) {
                         node.linkage = Linkage::unlinked;
                     }
                 });
    // Its copy may have been published since.
    finish_anchored(ino);
    collect(ino);
    return {};
}

Status UnionFs::Impl::drop_name(int dir, std::string const& name, LeaveWhiteout whiteout) {
    if (whiteout == LeaveWhiteout::no) {
        return sys::unlinkat(dir, name.c_str());
    }
    std::string const temp = up().temp_name();
    ScopeExit discard{
        [&] { static_cast<void>(sys::unlink_if_exists(up().tmp.get(), temp.c_str())); }};
    OBLEA_TRY(up().make_whiteout(up().tmp.get(), temp));
    OBLEA_TRY(sys::renameat2(up().tmp.get(), temp.c_str(), dir, name.c_str()));
    discard.dismiss();
    return {};
}

Status UnionFs::Impl::take_file_away(FolderView const& folder, std::string const& name,
                                     Child const& child, LeaveWhiteout whiteout) {
    SharedFd const dir = OBLEA_TRY(folder_fd(folder.ino));
    auto const node = nodes.find(child.ino);
    if (!node.has_value()) {
        return fail(Errno::estale, "unlink");
    }
    if (node->place == Place::index) {
        OBLEA_TRY(drop_name(dir->get(), name, whiteout));
        finish_anchored(child.ino);
        return {};
    }
    bool const last = child.upper_names == 1;
    bool const is_place =
        node->place == Place::entry && node->parent == folder.ino && node->name == name;
    if (!last && !is_place) {
        return drop_name(dir->get(), name, whiteout);
    }
    // A name out of sight, by which it stays to be found for as long as the kernel knows it.
    std::string orphan = std::to_string(number(child.ino));
    OBLEA_TRY(up().move(dir->get(), name, up().orphans.get(), orphan, whiteout));
    if (node->place == Place::entry) {
        static_cast<void>(nodes.update(node->parent, [](Node& n) { --n.children; }));
    }
    static_cast<void>(nodes.update(child.ino, [&](Node& n) {
        n.linkage = last ? Linkage::unlinked : Linkage::linked;
        n.place = Place::orphan;
        n.name = std::move(orphan);
    }));
    return {};
}

Status UnionFs::Impl::take_folder_away(FolderView const& folder, std::string const& name,
                                       Child const& child, LeaveWhiteout whiteout) {
    SharedFd const dir = OBLEA_TRY(folder_fd(folder.ino));
    std::string orphan = std::to_string(number(child.ino));
    // With the whiteouts that it may hold, in one step: they go when the folder is forgotten.
    OBLEA_TRY(up().move(dir->get(), name, up().orphans.get(), orphan, whiteout));
    static_cast<void>(nodes.update(folder.ino, [](Node& n) { --n.children; }));
    static_cast<void>(nodes.update(child.ino, [&](Node& n) {
        n.linkage = Linkage::unlinked;
        n.place = Place::orphan;
        n.name = std::move(orphan);
        n.lower = InodeNo::none;
        n.subfolders = 0;
    }));
    return {};
}

Status UnionFs::Impl::remove_locked(FolderView const& folder, std::string const& name,
                                    Child const& child, RemovePlan const& plan) {
    bool const is_folder = child.type == FileType::directory;
    if (plan.step == RemovePlan::Step::add_whiteout) {
        SharedFd const dir = OBLEA_TRY(folder_fd(folder.ino));
        if (!is_folder) {
            OBLEA_TRY(before_covering(child.ino));
        }
        auto hidden = up().make_whiteout(dir->get(), name);
        if (!hidden.has_value()) {
            if (!is_folder) {
                covered_nothing(child.ino);
            }
            return hidden;
        }
        OBLEA_TRY(lose_lower_name(child.ino, child.type));
    } else {
        LeaveWhiteout const whiteout =
            plan.step == RemovePlan::Step::leave_whiteout ? LeaveWhiteout::yes : LeaveWhiteout::no;
        OBLEA_TRY(is_folder ? take_folder_away(folder, name, child, whiteout)
                            : take_file_away(folder, name, child, whiteout));
    }
    if (is_folder) {
        count_subfolder(folder.ino, -1);
    }
    return {};
}

Status UnionFs::Impl::remove(Ino parent, Name const& name, Removal removal) {
    OBLEA_TRY(need_upper());
    auto const plan_for_child = [&](FolderView const& folder,
                                    std::optional<Child> const& child) -> Result<RemovePlan> {
        NameState state = OBLEA_TRY(state_of(folder, name.string(), child, InUpper::nothing));
        if (state.is_folder() && removal == Removal::folder && !OBLEA_TRY(is_empty(child->ino))) {
            state.contents = NameState::Contents::some;
        }
        return plan_remove(state, removal);
    };
    for (;;) {
        std::optional<Child> first;
        if (removal == Removal::folder || !takes_changes(parent)) {
            Peeked seen = OBLEA_TRY(peek(parent, name.string()));
            first = std::move(seen.child);
            OBLEA_TRY(plan_for_child(seen.folder, first));
            OBLEA_TRY(ensure_upper_folder(parent));
        }
        std::optional<Child> child;
        {
            bool const of_folder = first.has_value() && first->type == FileType::directory;
            FolderLocks::Exclusive const lock{folder_locks,
                                              {parent, of_folder ? first->ino : parent}};
            FolderView const folder = OBLEA_TRY(view(parent));
            child = OBLEA_TRY(find_child(folder, name.string()));
            if (first.has_value() && child.has_value() && child->ino != first->ino) {
                continue;
            }
            RemovePlan const plan = OBLEA_TRY(plan_for_child(folder, child));
            return remove_locked(folder, name.string(), *child, plan);
        }
    }
}

Status UnionFs::unlink(Ino parent, Name const& name) {
    return impl_->remove(parent, name, Removal::file);
}

Status UnionFs::rmdir(Ino parent, Name const& name) {
    return impl_->remove(parent, name, Removal::folder);
}

}  // namespace oblea::fs
