// SPDX-License-Identifier: MIT
// Rename: everything that moves is in the upper first; then one step of the upper's file system
// does it.
//
// What is written before that step (marks on moving folders, a second name for what is replaced)
// changes nothing that the union shows, so a crash or a failure before the step leaves the tree as
// it was.
#include "fs/union_impl.h"

#include <linux/fs.h>

namespace oblea::fs {

namespace {

constexpr std::size_t kRedirectBytesMax = 256;  // overlayfs refuses longer ones

}  // namespace

Result<std::string> UnionFs::Impl::lower_path(InodeNo folder) const {
    std::string path;
    while (folder != InodeNo::root) {
        std::vector<LowerName> const names = OBLEA_TRY(lower->names(folder));
        if (names.size() != 1) {
            return fail(Errno::euclean, "rename", "a folder that has not one name");
        }
        path.insert(0, "/" + std::string{names.front().name});
        folder = names.front().directory;
    }
    return path;
}

Status UnionFs::Impl::mark_moving(Ino folder, RenamePlan::Mark mark) {
    if (mark == RenamePlan::Mark::none) {
        return {};
    }
    SharedFd const dir = OBLEA_TRY(folder_fd(folder));
    if (mark == RenamePlan::Mark::opaque) {
        return up().set_xattr(dir->get(), ".", up().names.opaque, "y");
    }
    InodeNo const part = OBLEA_TRY(view(folder)).lower;
    InodeMark inode = OBLEA_TRY(up().read_mark(dir->get(), "."));
    std::string key = OBLEA_TRY(lower->origin_key(part));
    if (!key.empty() && inode.origin != key) {
        inode.origin = std::move(key);
        OBLEA_TRY(up().write_mark(dir->get(), ".", inode));
    }
    // For overlayfs; we go by the origin.
    std::string const path = OBLEA_TRY(lower_path(part));
    if (path.size() <= kRedirectBytesMax) {
        OBLEA_TRY(up().set_xattr(dir->get(), ".", up().names.redirect, path));
    }
    return {};
}

Status UnionFs::Impl::clear_folder(Ino folder) {
    // Nothing shows in it, so hiding what is below changes nothing; then its whiteouts serve no
    // purpose.
    SharedFd const dir = OBLEA_TRY(folder_fd(folder));
    auto const entries = OBLEA_TRY(sys::list_dir(dir->get()));
    if (entries.empty()) {
        return {};
    }
    OBLEA_TRY(up().set_xattr(dir->get(), ".", up().names.opaque, "y"));
    static_cast<void>(nodes.update(folder, [](Node& node) { node.lower = InodeNo::none; }));
    for (sys::DirEntry const& entry : entries) {
        OBLEA_TRY(sys::unlinkat(dir->get(), entry.name.c_str()));
    }
    return {};
}

Status UnionFs::Impl::save_replaced(RenameEnds const& ends) {
    Child const& target = *ends.target;
    if (target.where != InUpper::entry) {
        return target.type == FileType::directory ? Status{} : before_covering(target.ino);
    }
    if (target.type == FileType::directory) {
        OBLEA_TRY(clear_folder(target.ino));
        SharedFd fd = OBLEA_TRY(folder_fd(target.ino));
        base::LockGuard const lock{held.mutex};
        held.fds[number(target.ino)] = std::move(fd);
        return {};
    }
    auto const node = nodes.find(target.ino);
    if (!node.has_value() || node->place == Place::index) {
        return {};
    }
    SharedFd const dir = OBLEA_TRY(folder_fd(ends.to.ino));
    std::string const orphan = std::to_string(number(target.ino));
    return sys::linkat(dir->get(), ends.new_name.c_str(), up().orphans.get(), orphan.c_str());
}

void UnionFs::Impl::undo_saved(RenameEnds const& ends) {
    Child const& target = *ends.target;
    if (target.where != InUpper::entry) {
        if (target.type != FileType::directory) {
            covered_nothing(target.ino);
        }
        return;
    }
    if (target.type == FileType::directory) {
        base::LockGuard const lock{held.mutex};
        held.fds.erase(number(target.ino));
        return;
    }
    static_cast<void>(
        sys::unlink_if_exists(up().orphans.get(), std::to_string(number(target.ino)).c_str()));
}

// The target's name leads elsewhere now.
Status UnionFs::Impl::forget_replaced(RenameEnds const& ends) {
    Child const& target = *ends.target;
    bool const folder = target.type == FileType::directory;
    if (folder) {
        count_subfolder(ends.to.ino, -1);
    }
    if (target.where != InUpper::entry) {
        return lose_lower_name(target.ino, target.type);
    }
    auto const node = nodes.find(target.ino);
    if (!node.has_value()) {
        return fail(Errno::estale, "rename");
    }
    if (node->place == Place::index) {
        finish_anchored(target.ino);
        return {};
    }
    std::string orphan = std::to_string(number(target.ino));
    bool last = true;
    if (!folder) {
        last = OBLEA_TRY(sys::fstatat(up().orphans.get(), orphan.c_str())).st_nlink == 1;
        bool const is_place = node->place == Place::entry && node->parent == ends.to.ino &&
                              node->name == ends.new_name;
        if (!last && !is_place) {
            return sys::unlinkat(up().orphans.get(), orphan.c_str());
        }
    }
    if (node->place == Place::entry) {
        static_cast<void>(nodes.update(node->parent, [](Node& n) { --n.children; }));
    }
    static_cast<void>(nodes.update(target.ino, [&](Node& n) {
        n.linkage = last ? Linkage::unlinked : Linkage::linked;
        n.place = folder ? Place::held : Place::orphan;
        n.name = std::move(orphan);
        if (folder) {
            n.lower = InodeNo::none;
            n.subfolders = 0;
        }
    }));
    return {};
}

void UnionFs::Impl::move_place(Ino ino, Ino from, std::string const& name, Ino to,
                               std::string const& new_name) {
    bool moved = false;
    static_cast<void>(nodes.update(ino, [&](Node& node) {
        moved = node.place == Place::entry && node.parent == from && node.name == name;
        if (moved) {
            node.parent = to;
            node.name = new_name;
        }
    }));
    if (moved && from != to) {
        static_cast<void>(nodes.update(from, [](Node& node) { --node.children; }));
        static_cast<void>(nodes.update(to, [](Node& node) { ++node.children; }));
    }
}

Status UnionFs::Impl::carry_out(RenameEnds const& ends, RenamePlan const& plan) {
    SharedFd const from = OBLEA_TRY(folder_fd(ends.from.ino));
    SharedFd const to = OBLEA_TRY(folder_fd(ends.to.ino));
    switch (plan.step) {
    case RenamePlan::Step::nothing:
        return {};
    case RenamePlan::Step::move:
        return up().move(from->get(), ends.name, to->get(), ends.new_name, plan.whiteout);
    case RenamePlan::Step::exchange:
    case RenamePlan::Step::exchange_whiteout:
        break;
    }
    OBLEA_TRY(sys::renameat2(from->get(), ends.name.c_str(), to->get(), ends.new_name.c_str(),
                             RENAME_EXCHANGE));
    if (plan.step == RenamePlan::Step::exchange_whiteout &&
        plan.stray == RenamePlan::StrayWhiteout::remove) {
        // A crash before this, or its failure, leaves a whiteout that hides nothing.
        static_cast<void>(sys::unlinkat(from->get(), ends.name.c_str()));
    }
    return {};
}

void UnionFs::Impl::record(RenameEnds const& ends, RenamePlan const& plan) {
    bool const exchange = plan.step == RenamePlan::Step::exchange;
    move_place(ends.source->ino, ends.from.ino, ends.name, ends.to.ino, ends.new_name);
    if (ends.source->type == FileType::directory) {
        count_subfolder(ends.from.ino, -1);
        count_subfolder(ends.to.ino, 1);
    }
    if (exchange) {
        move_place(ends.target->ino, ends.to.ino, ends.new_name, ends.from.ino, ends.name);
        if (ends.target->type == FileType::directory) {
            count_subfolder(ends.to.ino, -1);
            count_subfolder(ends.from.ino, 1);
        }
    }
}

Status UnionFs::Impl::peek_ends(RenameEnds& ends, Ino parent, Ino new_parent) {
    Peeked source = OBLEA_TRY(peek(parent, ends.name));
    Peeked target = OBLEA_TRY(peek(new_parent, ends.new_name));
    ends.from = source.folder;
    ends.to = target.folder;
    ends.source = std::move(source.child);
    ends.target = std::move(target.child);
    ends.at_target = target.upper;
    if (ends.to.linkage == Linkage::unlinked) {
        return fail(Errno::enoent, "rename");
    }
    return {};
}

Status UnionFs::Impl::find_ends(RenameEnds& ends, Ino parent, Ino new_parent) {
    ends.from = OBLEA_TRY(view(parent));
    ends.to = OBLEA_TRY(view(new_parent));
    ends.source = OBLEA_TRY(find_child(ends.from, ends.name));
    Sight target = OBLEA_TRY(look(ends.to, ends.new_name));
    ends.target = std::move(target.child);
    ends.at_target = target.upper;
    if (ends.to.linkage == Linkage::unlinked) {
        return fail(Errno::enoent, "rename");
    }
    return {};
}

Result<RenamePlan> UnionFs::Impl::plan_for(RenameEnds const& ends, RenameMode mode) {
    NameState const source =
        OBLEA_TRY(state_of(ends.from, ends.name, ends.source, InUpper::nothing));
    NameState target = OBLEA_TRY(state_of(ends.to, ends.new_name, ends.target, ends.at_target));
    if (source.is_folder() && target.is_folder() && mode == RenameMode::replace &&
        !OBLEA_TRY(is_empty(ends.target->ino))) {
        target.contents = NameState::Contents::some;
    }
    bool const same =
        ends.source.has_value() && ends.target.has_value() && ends.source->ino == ends.target->ino;
    return plan_rename(source, target, mode, same ? SameInode::yes : SameInode::no);
}

Status UnionFs::Impl::rename_locked(RenameEnds& ends, RenameMode mode) {
    RenamePlan const plan = OBLEA_TRY(plan_for(ends, mode));
    if (plan.step == RenamePlan::Step::nothing) {
        return {};
    }
    bool const replaces = plan.target == RenamePlan::Target::replaced;
    OBLEA_TRY(mark_moving(ends.source->ino, plan.source_mark));
    OBLEA_TRY(mark_impure(ends.to.ino, ends.source->ino));
    if (plan.step == RenamePlan::Step::exchange) {
        OBLEA_TRY(mark_moving(ends.target->ino, plan.target_mark));
        OBLEA_TRY(mark_impure(ends.from.ino, ends.target->ino));
    }
    if (replaces) {
        OBLEA_TRY(save_replaced(ends));
    }
    auto moved = carry_out(ends, plan);
    if (!moved.has_value()) {
        if (replaces) {
            undo_saved(ends);
        }
        return moved;
    }
    record(ends, plan);
    if (replaces) {
        // The rename is done: a name that what it replaced keeps in work/ goes at the next mount.
        static_cast<void>(forget_replaced(ends));
    }
    return {};
}

Result<bool> UnionFs::Impl::rename_at_once(Ino parent, Name const& name, Ino new_parent,
                                           Name const& new_name, RenameMode mode) {
    if (!takes_changes(parent) || !takes_changes(new_parent)) {
        return false;
    }
    auto const is_upper = [&](std::optional<Child> const& child) {
        auto const node = child.has_value() ? nodes.find(child->ino) : std::nullopt;
        return node.has_value() && child->where == InUpper::entry && node->has_upper();
    };
    RenameEnds ends{.name = name.string(), .new_name = new_name.string()};
    FolderLocks::Exclusive const lock{folder_locks, {parent, new_parent}};
    OBLEA_TRY(find_ends(ends, parent, new_parent));
    // What is replaced must be locked too where it is a folder.
    bool const onto_folder = ends.target.has_value() && ends.target->type == FileType::directory;
    if (!is_upper(ends.source) || onto_folder ||
        (mode == RenameMode::exchange && !is_upper(ends.target))) {
        return false;
    }
    OBLEA_TRY(rename_locked(ends, mode));
    return true;
}

Status UnionFs::rename(Ino parent, Name const& name, Ino new_parent, Name const& new_name,
                       RenameMode mode) {
    Impl& fs = *impl_;
    OBLEA_TRY(fs.need_upper());
    if (OBLEA_TRY(fs.rename_at_once(parent, name, new_parent, new_name, mode))) {
        return {};
    }
    for (;;) {
        Impl::RenameEnds first{.name = name.string(), .new_name = new_name.string()};
        OBLEA_TRY(fs.peek_ends(first, parent, new_parent));
        RenamePlan const plan = OBLEA_TRY(fs.plan_for(first, mode));
        if (plan.step == RenamePlan::Step::nothing) {
            return {};
        }
        auto const lift = [&](Child const& child) {
            return child.type == FileType::directory ? fs.ensure_upper_folder(child.ino)
                                                     : fs.ensure_upper(child.ino, {});
        };
        OBLEA_TRY(fs.ensure_upper_folder(parent));
        OBLEA_TRY(fs.ensure_upper_folder(new_parent));
        OBLEA_TRY(lift(*first.source));
        if (mode == RenameMode::exchange) {
            OBLEA_TRY(lift(*first.target));
        }
        bool const onto_folder =
            first.target.has_value() && first.target->type == FileType::directory;
        Impl::RenameEnds ends{.name = name.string(), .new_name = new_name.string()};
        {
            FolderLocks::Exclusive const lock{
                fs.folder_locks, {parent, new_parent, onto_folder ? first.target->ino : parent}};
            OBLEA_TRY(fs.find_ends(ends, parent, new_parent));
            auto const same = [](std::optional<Child> const& left,
                                 std::optional<Child> const& right) {
                return left.has_value() == right.has_value() &&
                       (!left.has_value() || left->ino == right->ino);
            };
            if (!same(first.source, ends.source) || !same(first.target, ends.target)) {
                continue;
            }
            if (ends.source->where != InUpper::entry) {
                OBLEA_TRY(fs.materialize(ends.from, ends.name, *ends.source));
            }
            if (mode == RenameMode::exchange && ends.target->where != InUpper::entry) {
                OBLEA_TRY(fs.materialize(ends.to, ends.new_name, *ends.target));
            }
            return fs.rename_locked(ends, mode);
        }
    }
}

}  // namespace oblea::fs
