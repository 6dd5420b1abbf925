// SPDX-License-Identifier: MIT
// Hard-linked inodes of the image: how many of their names still show from below, kept over
// remounts.
//
// The link count of such an inode is that number, and, once it is copied up, the names that its
// upper file has besides the one in work/index. Before a whiteout or a link covers a name, the
// number is marked as in doubt; after it the new one is written. What a crash left in doubt is
// counted anew at the next mount.
#include "fs/union_impl.h"

#include <dirent.h>

namespace oblea::fs {

Result<std::uint32_t> UnionFs::Impl::lower_names_left(InodeNo ino) {
    {
        base::LockGuard const lock{link_counts.mutex};
        auto const found = link_counts.left.find(number(ino_of(ino)));
        if (found != link_counts.left.end()) {
            return found->second;
        }
    }
    return OBLEA_TRY(lower->attr(ino)).nlink;
}

Result<bool> UnionFs::Impl::counts_names(Ino ino) const {
    auto const node = nodes.find(ino);
    return (node.has_value() && node->place == Place::index) ||
           OBLEA_TRY(lower->attr(lower_of(ino))).nlink > 1;
}

Status UnionFs::Impl::write_names_left(InodeNo ino, std::uint32_t left, Doubt doubt) {
    std::string const key = OBLEA_TRY(lower->origin_key(ino));
    std::string const temp = up().temp_name();
    std::string const text = encode_names_left({.count = left, .doubt = doubt});
    OBLEA_TRY(sys::symlinkat(text, up().tmp.get(), temp.c_str()));
    auto moved = sys::renameat2(up().tmp.get(), temp.c_str(), up().links.get(), key.c_str());
    if (!moved.has_value()) {
        static_cast<void>(sys::unlink_if_exists(up().tmp.get(), temp.c_str()));
    }
    return moved;
}

Status UnionFs::Impl::before_covering(Ino ino) {
    if (!OBLEA_TRY(counts_names(ino))) {
        return {};
    }
    std::uint32_t const left = OBLEA_TRY(lower_names_left(lower_of(ino)));
    return write_names_left(lower_of(ino), left, Doubt::yes);
}

void UnionFs::Impl::covered_nothing(Ino ino) {
    auto const counted = counts_names(ino);
    auto const left = lower_names_left(lower_of(ino));
    if (counted.has_value() && *counted && left.has_value()) {
        // If it cannot be written, the next mount counts.
        static_cast<void>(write_names_left(lower_of(ino), *left, Doubt::no));
    }
}

Status UnionFs::Impl::cover_lower_name(Ino ino) {
    InodeNo const from = lower_of(ino);
    std::uint32_t const names = OBLEA_TRY(lower->attr(from)).nlink;
    base::LockGuard const lock{link_counts.mutex};
    std::uint32_t& left = link_counts.left.try_emplace(number(ino), names).first->second;
    if (left > 0) {
        --left;
    }
    // The name is covered, whether that could be written or not: what is in doubt is counted.
    static_cast<void>(write_names_left(from, left, Doubt::no));
    return {};
}

// --- counting anew ---

Status UnionFs::Impl::find_parts(FolderView const& folder, Parts& parts) {
    if (folder.lower != InodeNo::none) {
        parts.by_lower[static_cast<std::uint32_t>(folder.lower)] = folder.ino;
    }
    SharedFd const dir = OBLEA_TRY(folder_fd(folder.ino));
    for (sys::DirEntry const& entry : OBLEA_TRY(sys::list_dir(dir->get()))) {
        if (entry.type != DT_DIR && entry.type != DT_UNKNOWN) {
            continue;
        }
        auto child = OBLEA_TRY(find_child(folder, entry.name));
        if (child.has_value() && child->type == FileType::directory) {
            FolderView const below = OBLEA_TRY(view(child->ino));
            OBLEA_TRY(find_parts(below, parts));
            parts.pins.push_back(std::move(child->pin));
        }
    }
    return {};
}

Result<bool> UnionFs::Impl::shows_from_below(Parts const& parts, LowerName const& name) {
    auto const part = parts.by_lower.find(static_cast<std::uint32_t>(name.directory));
    if (part != parts.by_lower.end()) {
        SharedFd const dir = OBLEA_TRY(folder_fd(part->second));
        auto const covered =
            OBLEA_TRY(sys::stat_if_exists(dir->get(), std::string{name.name}.c_str()));
        return !covered.has_value();
    }
    // Nothing of its folder is in the upper, so it shows as far as the folder does.
    auto const above = OBLEA_TRY(lower->names(name.directory));
    if (above.size() != 1) {
        return fail(Errno::euclean, "", "a folder of the image that has not one name");
    }
    return shows_from_below(parts, above.front());
}

Status UnionFs::Impl::count_names_anew(std::vector<InodeNo> const& inodes) {
    if (inodes.empty()) {
        return {};
    }
    Parts parts;
    FolderView const root = OBLEA_TRY(view(Ino::root));
    OBLEA_TRY(find_parts(root, parts));
    OBLEA_TRY(lower->find_all_names());
    for (InodeNo const ino : inodes) {
        std::uint32_t left = 0;
        for (LowerName const& name : OBLEA_TRY(lower->names(ino))) {
            left += OBLEA_TRY(shows_from_below(parts, name)) ? 1U : 0U;
        }
        {
            base::LockGuard const lock{link_counts.mutex};
            link_counts.left[number(ino_of(ino))] = left;
        }
        OBLEA_TRY(write_names_left(ino, left, Doubt::no));
    }
    return {};
}

Status UnionFs::Impl::load_links() {
    int const dir = up().links.get();
    std::vector<InodeNo> in_doubt;
    for (sys::DirEntry const& entry : OBLEA_TRY(sys::list_dir(dir))) {
        auto const ino = OBLEA_TRY(lower->find_origin(entry.name));
        if (!ino.has_value()) {
            continue;  // of another image
        }
        std::string const text = OBLEA_TRY(sys::readlinkat(dir, entry.name.c_str()));
        NamesLeft const left =
            OBLEA_TRY(with_context(parse_names_left(text), [&] { return entry.name; }));
        if (left.doubt == Doubt::yes) {
            in_doubt.push_back(*ino);
        }
        base::LockGuard const lock{link_counts.mutex};
        link_counts.left[number(ino_of(*ino))] = left.count;
    }
    return count_names_anew(in_doubt);
}

Status UnionFs::Impl::load_anchors() {
    int const dir = up().index.get();
    for (sys::DirEntry const& entry : OBLEA_TRY(sys::list_dir(dir))) {
        auto const ino = OBLEA_TRY(lower->find_origin(entry.name));
        if (!ino.has_value()) {
            continue;
        }
        struct stat const info = OBLEA_TRY(sys::fstatat(dir, entry.name.c_str()));
        InodeMark const mark = OBLEA_TRY(mark_of(dir, entry.name, type_of_mode(info.st_mode)));
        nodes.insert(
            Node{.ino = ino_of(*ino),
                 .type = type_of_mode(info.st_mode),
                 .state = marked_state(mark),
                 .place = Place::index,
                 .name = entry.name,
                 .upper_ino = info.st_ino,
                 .lower = mark.contents == InodeMark::Contents::partial ? *ino : InodeNo::none,
                 .permissions = mark.permissions,
                 .owner = mark.owner},
            [](Node&, NodeTable::Inserted) {});
        {
            base::LockGuard const lock{anchors.mutex};
            anchors.by_upper_ino[info.st_ino] = ino_of(*ino);
        }
        // Unlinked when the last server ended: gone, unless the kernel still knows it.
        finish_anchored(ino_of(*ino));
    }
    return {};
}

// Called when an inode in work/index may have lost its last name. The name is gone by then, so
// there is no way to fail: what cannot be put out of the way now is at the next mount
// (load_anchors).
void UnionFs::Impl::finish_anchored(Ino ino) {
    auto const node = nodes.find(ino);
    if (!node.has_value() || node->place != Place::index) {
        return;
    }
    auto const info = sys::fstatat(up().index.get(), node->name.c_str());
    auto const left = lower_names_left(lower_of(ino));
    if (!info.has_value() || info->st_nlink > 1 || !left.has_value() || *left > 0) {
        return;
    }
    std::string orphan = std::to_string(number(ino));
    if (!sys::renameat2(up().index.get(), node->name.c_str(), up().orphans.get(), orphan.c_str())
             .has_value()) {
        return;
    }
    {
        base::LockGuard const lock{anchors.mutex};
        anchors.by_upper_ino.erase(info->st_ino);
    }
    static_cast<void>(nodes.update(ino, [&](Node& n) {
        n.linkage = Linkage::unlinked;
        n.place = Place::orphan;
        n.name = std::move(orphan);
    }));
    collect(ino);
}

}  // namespace oblea::fs
