// SPDX-License-Identifier: MIT
// Copy-up: a file, link, device or folder of the lower tree gets its place in the upper.
// file_state.h has the states.
//
// Files are built in work/tmp without any lock, and published by one rename under their folder's
// lock. A crash before the rename leaves debris in work/tmp, which the next mount removes; after it
// the copy is whole, or marked as partial (partial.cc).
#include "fs/union_impl.h"
#include "fs/write_mapped.h"

#include "fs/plan/acl.h"
#include "store/base/buffer_bytes.h"
#include "store/base/bytes.h"
#include "store/index/file_mode.h"

#include <linux/fs.h>
#include <sys/sysmacros.h>

#include <algorithm>

namespace oblea::fs {

InodeMark UnionFs::Impl::mark_for(store::InodeAttr const& attr, std::string key) const {
    InodeMark mark;
    if (!key.empty()) {
        mark.origin = std::move(key);
    }
    if (records(attr.type)) {
        mark.permissions = attr.permissions;
        mark.owner = RecordedOwner{attr.uid, attr.gid};
        return mark;
    }
    if (up().rights == UpperDir::Impl::Rights::bound &&
        stored_permissions(attr.type, attr.permissions) != attr.permissions) {
        mark.permissions = attr.permissions;
    }
    return mark;
}

Status UnionFs::Impl::copy_data(InodeNo ino, int target, std::uint64_t from, std::uint64_t to,
                                CopyBy how) {
    std::shared_ptr<UniqueFd const> const object = OBLEA_TRY(lower->object(ino));
    std::vector<std::byte> buffer;
    auto const count_copied = [&](std::uint64_t bytes) {
        copied.fetch_add(bytes, std::memory_order_relaxed);
        if (copy_listener) {
            copy_listener(bytes);
        }
    };
    for (std::uint64_t at = from; at < to;) {
        auto const data = lower->seek(ino, at, LowerTree::Seek::data);
        if (!data.has_value()) {
            if (data.error().code == Errno::enxio) {
                break;  // holes to the end
            }
            return std::unexpected<Error>(data.error());
        }
        at = *data;
        if (at >= to) {
            break;
        }
        std::uint64_t const end =
            std::min(to, OBLEA_TRY(lower->seek(ino, at, LowerTree::Seek::hole)));
        if (object != nullptr && at < end && how == CopyBy::writing) {
            std::uint64_t const count =
                OBLEA_TRY(sys::copy_range((*object).get(), at, target, at, end - at));
            if (count != end - at) {
                return fail(Errno::eio, "copy-up", "a file of the image is shorter than it says");
            }
            count_copied(count);
            at = end;
        }
        while (at < end) {
            buffer.resize(std::min<std::uint64_t>(base::kLargeBufferBytes, to - from));
            auto const piece = base::MutableBytes{buffer}.first(
                static_cast<std::size_t>(std::min<std::uint64_t>(buffer.size(), end - at)));
            std::size_t const count = OBLEA_TRY(lower->read(ino, piece, at));
            if (count == 0) {
                return fail(Errno::eio, "copy-up", "a file of the image is shorter than it says");
            }
            OBLEA_TRY(how == CopyBy::writing ? sys::pwrite_all(target, piece.first(count), at)
                                             : write_mapped(target, piece.first(count), at));
            count_copied(count);
            at += count;
        }
    }
    return {};
}

Status UnionFs::Impl::copy_attributes(InodeNo ino, store::InodeAttr const& attr, int dir,
                                      std::string const& name, InodeMark const& mark) {
    if (records(attr.type)) {
        OBLEA_TRY(write_record(dir, name, {attr.uid, attr.gid}, attr.permissions));
    } else if (options.owners.kind != Owners::Kind::squashed) {
        OBLEA_TRY(give_owner(dir, name, {attr.uid, attr.gid}));  // as the lower tree stores it
    }
    for (std::string const& xattr : OBLEA_TRY(lower->xattr_names(ino))) {
        auto const value = OBLEA_TRY(lower->xattr(ino, xattr));
        if (!value.has_value()) {
            continue;
        }
        auto set = up().set_xattr(dir, name, stored_xattr_name(up().names, xattr), *value);
        // What the upper's file system or our rights have no room for stays behind (SEMANTICS.md):
        // users can set neither every namespace nor lists with ids that they have not.
        bool const ours = set.has_value() || up().space == MarkSpace::trusted;
        if (!set.has_value() && set.error().code != Errno::eopnotsupp &&
            (ours || (set.error().code != Errno::eperm &&
                      (set.error().code != Errno::einval || !is_acl(xattr))))) {
            return set;
        }
    }
    if (attr.type != FileType::symlink) {
        std::uint32_t stored = attr.permissions;
        if (records(attr.type)) {
            stored = recorded_permissions(attr.type, attr.permissions);
        } else if (up().rights == UpperDir::Impl::Rights::bound) {
            stored = stored_permissions(attr.type, attr.permissions);
        }
        OBLEA_TRY(name == "." ? sys::fchmod(dir, stored)
                              : sys::fchmodat(dir, name.c_str(), stored));
    }
    if (!mark.empty()) {
        OBLEA_TRY(up().write_mark(dir, name, mark));
    }
    struct timespec time = {};
    time.tv_sec = attr.mtime.seconds;
    time.tv_nsec = attr.mtime.nanoseconds;
    struct timespec const times[2] = {time, time};
    return sys::utimensat(dir, name.c_str(), times);
}

Status UnionFs::Impl::fill_copy(InodeNo ino, store::InodeAttr const& attr, CopyUpPlan const& plan,
                                std::string const& temp, InodeMark const& mark) {
    int const tmp = up().tmp.get();
    UniqueFd file;
    switch (attr.type) {
    case FileType::regular:
        file = OBLEA_TRY(sys::openat(tmp, temp.c_str(), O_RDWR | O_CREAT | O_EXCL, 0600));
        if (plan.contents == CopyUpPlan::Contents::partial) {
            // By the mark nobody takes the hole for the contents. The folder of maps is there
            // before it: programs that do not know the mark do not open such a layer.
            OBLEA_TRY(up().maps());
            OBLEA_TRY(sys::fsetxattr(file.get(), up().names.partial.c_str(), "1"));
            OBLEA_TRY(sys::ftruncate(file.get(), attr.size));
        } else {
            OBLEA_TRY(copy_data(ino, file.get(), 0, plan.copy_bytes, CopyBy::writing));
            OBLEA_TRY(sys::ftruncate(file.get(), plan.copy_bytes));
        }
        break;
    case FileType::directory:
        OBLEA_TRY(sys::mkdirat(tmp, temp.c_str(), 0700));
        break;
    case FileType::symlink: {
        std::string const target = OBLEA_TRY(lower->symlink_target(ino));
        OBLEA_TRY(sys::symlinkat(target, tmp, temp.c_str()));
        break;
    }
    default:
        if (attr.type == FileType::char_device && attr.device == DeviceNumber{}) {
            return fail(Errno::eperm, "copy-up", "device 0:0 would be a whiteout in the upper");
        }
        OBLEA_TRY(sys::mknodat(tmp, temp.c_str(), store::mode_of(attr.type) | 0600U,
                               makedev(attr.device.major, attr.device.minor)));
        break;
    }
    OBLEA_TRY(copy_attributes(ino, attr, tmp, temp, mark));
    if (file.valid() && plan.copy_bytes > 0 && options.durable == Durable::yes) {
        // So that no crash leaves the name with less than the image had.
        OBLEA_TRY(sys::fsync(file.get()));
    }
    return {};
}

// --- folders ---

Status UnionFs::Impl::touch_root() {
    auto const root = nodes.find(Ino::root);
    if (!root.has_value() || root->bare == Node::Bare::no) {
        return {};
    }
    FolderLocks::Exclusive const lock{folder_locks, {Ino::root}};
    if (nodes.find(Ino::root)->bare == Node::Bare::no) {
        return {};
    }
    store::InodeAttr const attr = OBLEA_TRY(lower->attr(InodeNo::root));
    // What the upper folder got from the one that it was made in is none of the image's.
    OBLEA_TRY(up().drop_acls(root_fd->get()));
    std::string key = OBLEA_TRY(lower->origin_key(InodeNo::root));
    OBLEA_TRY(
        copy_attributes(InodeNo::root, attr, root_fd->get(), ".", mark_for(attr, std::move(key))));
    static_cast<void>(nodes.update(Ino::root, [&](Node& node) {
        node.bare = Node::Bare::no;
        node.state = FileState::upper;
        InodeMark const mark = mark_for(attr, "");
        node.permissions = mark.permissions;
        node.owner = mark.owner;
    }));
    return {};
}

bool UnionFs::Impl::takes_changes(Ino folder) const {
    auto const node = nodes.find(folder);
    if (!node.has_value() || !node->is_folder() || !is_in_upper(node->state)) {
        return false;
    }
    auto const root = nodes.find(Ino::root);
    return root.has_value() && root->bare == Node::Bare::no;
}

Status UnionFs::Impl::ensure_upper_folder(Ino folder) {
    // The chain of those that are not in the upper, from the bottom; then made from the top.
    std::vector<Ino> missing;
    for (Ino at = folder;;) {
        FolderView const seen = OBLEA_TRY(view(at));
        if (seen.linkage == Linkage::unlinked && !seen.has_upper) {
            return fail(Errno::enoent, "copy-up");
        }
        if (seen.has_upper) {
            break;
        }
        missing.push_back(at);
        at = ino_of(OBLEA_TRY(lower->parent(lower_of(at))));
    }
    OBLEA_TRY(touch_root());
    for (auto ino = missing.rbegin(); ino != missing.rend(); ++ino) {
        std::vector<LowerName> const names = OBLEA_TRY(lower->names(lower_of(*ino)));
        if (names.size() != 1) {
            return fail(Errno::euclean, "copy-up", "a folder that has not one name");
        }
        OBLEA_TRY(copy_up_folder(ino_of(names.front().directory), std::string{names.front().name},
                                 lower_of(*ino)));
    }
    return {};
}

Status UnionFs::Impl::copy_up_folder(Ino parent, std::string const& name, InodeNo ino) {
    FolderLocks::Exclusive const lock{folder_locks, {parent}};
    FolderView const above = OBLEA_TRY(view(parent));
    auto const child = OBLEA_TRY(find_child(above, name));
    if (!child.has_value() || child->ino != ino_of(ino)) {
        return fail(Errno::enoent, "copy-up");
    }
    if (child->where == InUpper::entry) {
        return {};  // another thread was faster; the node is loaded now
    }
    SharedFd const dir = OBLEA_TRY(folder_fd(parent));
    store::InodeAttr const attr = OBLEA_TRY(lower->attr(ino));
    std::string const temp = up().temp_name();
    ScopeExit discard{[&] { static_cast<void>(sys::remove_tree(up().tmp.get(), temp.c_str())); }};
    InodeMark const mark = mark_for(attr, OBLEA_TRY(lower->origin_key(ino)));
    OBLEA_TRY(fill_copy(ino, attr, {}, temp, mark));
    struct stat const made = OBLEA_TRY(sys::fstatat(up().tmp.get(), temp.c_str()));
    OBLEA_TRY(keeping_times(dir->get(), [&] {
        return sys::renameat2(up().tmp.get(), temp.c_str(), dir->get(), name.c_str(),
                              RENAME_NOREPLACE);
    }));
    discard.dismiss();
    Node node{.ino = ino_of(ino),
              .type = FileType::directory,
              .state = FileState::upper,
              .place = Place::entry,
              .parent = parent,
              .name = name,
              .upper_ino = made.st_ino,
              .lower = ino,
              .subfolders = static_cast<std::int64_t>(attr.nlink) - 2,
              .permissions = mark.permissions,
              .owner = mark.owner};
    static_cast<void>(nodes.update(parent, [](Node& n) { ++n.children; }));
    nodes.insert(std::move(node), [](Node&, NodeTable::Inserted) {});
    return {};
}

// --- files ---

Status UnionFs::Impl::ensure_upper(Ino ino, ChangeAhead const& change) {
    if (!is_lower_number(ino)) {
        return {};
    }
    auto& stripe = inode_locks.of(ino);
    {
        base::UniqueLock lock{stripe.mutex};
        for (;;) {
            auto const node = nodes.find(ino);
            if (!node.has_value() || node->state == FileState::lower) {
                break;
            }
            if (is_in_upper(node->state)) {
                return {};
            }
            stripe.changed.wait(lock.for_wait());
        }
        if (number(ino) > lower->inode_count()) {
            return fail(Errno::estale, "copy-up");
        }
        FileType const type = OBLEA_TRY(type_of(ino));
        nodes.insert(Node{.ino = ino, .type = type, .state = FileState::copying},
                     [](Node& node, NodeTable::Inserted) { node.state = FileState::copying; });
    }
    auto done = copy_up_file(ino, change);
    {
        base::LockGuard const lock{stripe.mutex};
        if (!done.has_value()) {
            static_cast<void>(nodes.update(ino, [](Node& node) {
                if (node.state == FileState::copying) {
                    node.state = FileState::lower;
                }
            }));
        }
    }
    stripe.changed.notify_all();
    if (!done.has_value()) {
        collect(ino);
    } else if (options.blocks.complete == CopyUpBlocks::Complete::everything) {
        auto const node = nodes.find(ino);
        if (node.has_value() && node->state == FileState::partial) {
            note_change(ino);
        }
    }
    return done;
}

Status UnionFs::Impl::copy_up_file(Ino ino, ChangeAhead const& change) {
    InodeNo const from = lower_of(ino);
    store::InodeAttr const attr = OBLEA_TRY(lower->attr(from));
    CopyUpPlan const plan = plan_copy_up({.type = attr.type,
                                          .size = attr.size,
                                          .names = attr.nlink,
                                          .keep_bytes = change.keep_bytes,
                                          .marks = up().space == MarkSpace::trusted
                                                       ? CopyUpNeed::Marks::all
                                                       : CopyUpNeed::Marks::files_and_folders,
                                          .change = change.what,
                                          .whole_up_to = options.blocks.whole_up_to});
    std::string key = OBLEA_TRY(lower->origin_key(from));
    Copy copy{.ino = ino, .temp = up().temp_name(), .key = std::move(key)};
    ScopeExit const discard{
        [&] { static_cast<void>(sys::unlink_if_exists(up().tmp.get(), copy.temp.c_str())); }};
    InodeMark mark = mark_for(attr, copy.key);
    if (plan.anchor == CopyUpPlan::Anchor::index && attr.type != FileType::regular) {
        mark = {};  // its name in work/index tells it all
    }
    copy.permissions = mark.permissions;
    copy.owner = mark.owner;
    copy.contents = plan.contents;
    OBLEA_TRY(fill_copy(from, attr, plan, copy.temp, mark));
    copy.upper_ino = OBLEA_TRY(sys::fstatat(up().tmp.get(), copy.temp.c_str())).st_ino;
    return publish_copy(copy, plan);
}

void UnionFs::Impl::settle_copy(Copy const& copy, Place place, Ino parent, std::string name) {
    auto& stripe = inode_locks.of(copy.ino);
    base::LockGuard const lock{stripe.mutex};
    static_cast<void>(nodes.update(copy.ino, [&](Node& node) {
        bool const partial = copy.contents == CopyUpPlan::Contents::partial;
        node.state = partial ? FileState::partial : FileState::upper;
        node.lower = partial ? lower_of(copy.ino) : InodeNo::none;
        node.place = place;
        node.parent = parent;
        node.name = std::move(name);
        node.upper_ino = copy.upper_ino;
        node.permissions = copy.permissions;
        node.owner = copy.owner;
    }));
    stripe.changed.notify_all();
}

Status UnionFs::Impl::publish_copy(Copy const& copy, CopyUpPlan const& plan) {
    // Unlinking does not wait for a copy; so its outcome is looked at under the folder's lock, and
    // here only to save the way there.
    if (nodes.find(copy.ino)->linkage == Linkage::unlinked) {
        return publish_orphan(copy);
    }
    if (plan.anchor == CopyUpPlan::Anchor::mark) {
        auto published = publish_entry(copy);
        if (!published.has_value() && nodes.find(copy.ino)->linkage == Linkage::unlinked) {
            return publish_orphan(copy);
        }
        return published;
    }
    // After this the inode is the copy, by whichever name; a crash leaves the names below to be
    // linked another time.
    {
        base::LockGuard const lock{anchors.mutex};
        anchors.by_upper_ino[copy.upper_ino] = copy.ino;
    }
    OBLEA_TRY(sys::renameat2(up().tmp.get(), copy.temp.c_str(), up().index.get(), copy.key.c_str(),
                             RENAME_NOREPLACE));
    settle_copy(copy, Place::index, Ino::root, copy.key);
    if (nodes.find(copy.ino)->linkage == Linkage::unlinked) {
        finish_anchored(copy.ino);
        return {};
    }
    link_lower_names(copy.ino);
    return {};
}

Status UnionFs::Impl::publish_orphan(Copy const& copy) {
    std::string name = std::to_string(number(copy.ino));
    OBLEA_TRY(sys::renameat2(up().tmp.get(), copy.temp.c_str(), up().orphans.get(), name.c_str()));
    settle_copy(copy, Place::orphan, Ino::root, std::move(name));
    return {};
}

Status UnionFs::Impl::publish_entry(Copy const& copy) {
    std::vector<LowerName> const names = OBLEA_TRY(lower->names(lower_of(copy.ino)));
    if (names.size() != 1) {
        return fail(Errno::euclean, "copy-up", "a file whose link count is not that of its names");
    }
    Ino const parent = ino_of(names.front().directory);
    std::string name{names.front().name};
    OBLEA_TRY(ensure_upper_folder(parent));
    FolderLocks::Exclusive const lock{folder_locks, {parent}};
    if (nodes.find(copy.ino)->linkage == Linkage::unlinked) {
        return fail(Errno::enoent, "copy-up");
    }
    SharedFd const dir = OBLEA_TRY(folder_fd(parent));
    OBLEA_TRY(keeping_times(dir->get(), [&] {
        return sys::renameat2(up().tmp.get(), copy.temp.c_str(), dir->get(), name.c_str(),
                              RENAME_NOREPLACE);
    }));
    static_cast<void>(nodes.update(parent, [](Node& node) { ++node.children; }));
    settle_copy(copy, Place::entry, parent, std::move(name));
    return {};
}

// --- further names ---

Result<std::optional<Child>> UnionFs::Impl::reach_folder(InodeNo folder) {
    // Down from the nearest one that has a node, by the names of the lower tree: a folder that was
    // moved before this mount is not found, and what it holds is linked when it is looked up there.
    std::vector<LowerName> way;
    InodeNo at = folder;
    while (at != InodeNo::root && !nodes.find(ino_of(at)).has_value()) {
        std::vector<LowerName> const names = OBLEA_TRY(lower->names(at));
        if (names.size() != 1) {
            return std::optional<Child>{};
        }
        way.push_back(names.front());
        at = names.front().directory;
    }
    Child here{.ino = ino_of(at), .type = FileType::directory, .pin = pin(ino_of(at))};
    for (auto name = way.rbegin(); name != way.rend(); ++name) {
        auto child = std::move(OBLEA_TRY(peek(here.ino, std::string{name->name})).child);
        if (!child.has_value() || child->type != FileType::directory) {
            return std::optional<Child>{};
        }
        here = *std::move(child);
    }
    if (here.ino != ino_of(folder) || OBLEA_TRY(view(here.ino)).linkage == Linkage::unlinked) {
        return std::optional<Child>{};
    }
    return std::optional{std::move(here)};
}

void UnionFs::Impl::link_lower_names(Ino ino) {
    auto const names = lower->names(lower_of(ino));
    if (!names.has_value()) {
        return;
    }
    for (LowerName const& name : *names) {
        // A name that cannot be linked now still leads to the copy, through work/index.
        static_cast<void>(link_lower_name(ino, name));
    }
}

Status UnionFs::Impl::link_lower_name(Ino ino, LowerName const& name) {
    auto const folder = OBLEA_TRY(reach_folder(name.directory));
    if (!folder.has_value()) {
        return {};
    }
    OBLEA_TRY(ensure_upper_folder(folder->ino));
    FolderLocks::Exclusive const lock{folder_locks, {folder->ino}};
    FolderView const seen = OBLEA_TRY(view(folder->ino));
    auto child = OBLEA_TRY(find_child(seen, std::string{name.name}));
    if (!child.has_value() || child->ino != ino || child->where == InUpper::entry) {
        return {};
    }
    return materialize(seen, std::string{name.name}, *child);
}

Status UnionFs::Impl::materialize(FolderView const& folder, std::string const& name, Child& child) {
    auto const node = nodes.find(child.ino);
    if (!node.has_value() || node->place != Place::index) {
        return fail(Errno::estale, "copy-up");
    }
    SharedFd const dir = OBLEA_TRY(folder_fd(folder.ino));
    OBLEA_TRY(before_covering(child.ino));
    auto linked = keeping_times(dir->get(), [&] {
        return sys::linkat(up().index.get(), node->name.c_str(), dir->get(), name.c_str());
    });
    if (!linked.has_value()) {
        covered_nothing(child.ino);
        return linked;
    }
    child.where = InUpper::entry;
    return cover_lower_name(child.ino);
}

}  // namespace oblea::fs
