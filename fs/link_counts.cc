// SPDX-License-Identifier: MIT
// Hard-linked inodes of the image: how many of their names still show from below, kept over
// remounts.
//
// The link count of such an inode is that number, and, once it is copied up, the names that its
// upper file has besides the one in work/index. The whiteout or link that covers a name comes
// first, the new number after it: a crash between the two leaves a count that is one too high,
// never one that is too low.
#include "fs/union_impl.h"

#include <charconv>

namespace oblea::fs {

Result<std::uint32_t> UnionFs::Impl::lower_names_left(InodeNo ino) {
    {
        std::scoped_lock const lock{link_counts.mutex};
        auto const found = link_counts.left.find(number(ino_of(ino)));
        if (found != link_counts.left.end()) {
            return found->second;
        }
    }
    return OBLEA_TRY(lower->attr(ino)).nlink;
}

Status UnionFs::Impl::cover_lower_name(Ino ino) {
    InodeNo const from = lower_of(ino);
    std::uint32_t const names = OBLEA_TRY(lower->attr(from)).nlink;
    std::string const key = OBLEA_TRY(lower->origin_key(from));
    std::scoped_lock const lock{link_counts.mutex};
    std::uint32_t& left = link_counts.left.try_emplace(number(ino), names).first->second;
    if (left == 0) {
        return {};
    }
    --left;
    std::string const temp = up().temp_name();
    OBLEA_TRY(sys::symlinkat(std::to_string(left), up().tmp.get(), temp.c_str()));
    return sys::renameat2(up().tmp.get(), temp.c_str(), up().links.get(), key.c_str());
}

Status UnionFs::Impl::load_links() {
    int const dir = up().links.get();
    for (sys::DirEntry const& entry : OBLEA_TRY(sys::list_dir(dir))) {
        auto const ino = OBLEA_TRY(lower->find_origin(entry.name));
        if (!ino.has_value()) {
            continue;  // of another image
        }
        std::string const text = OBLEA_TRY(sys::readlinkat(dir, entry.name.c_str()));
        std::uint32_t left = 0;
        auto const [end, error] = std::from_chars(text.data(), text.data() + text.size(), left);
        if (error != std::errc{} || end != text.data() + text.size()) {
            return fail(Errno::euclean, "",
                        "a damaged link count in the work folder: " + entry.name);
        }
        std::scoped_lock const lock{link_counts.mutex};
        link_counts.left[number(ino_of(*ino))] = left;
    }
    return {};
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
        nodes.insert(Node{.ino = ino_of(*ino),
                          .type = type_of_mode(info.st_mode),
                          .state = FileState::upper,
                          .place = Place::index,
                          .name = entry.name,
                          .upper_ino = info.st_ino,
                          .permissions = mark.permissions,
                          .owner = mark.owner},
                     [](Node&, NodeTable::Inserted) {});
        {
            std::scoped_lock const lock{anchors.mutex};
            anchors.by_upper_ino[info.st_ino] = ino_of(*ino);
        }
        // Unlinked when the last server ended: gone, unless the kernel still knows it.
        OBLEA_TRY(finish_anchored(ino_of(*ino)));
    }
    return {};
}

// Called when an inode in work/index may have lost its last name.
Status UnionFs::Impl::finish_anchored(Ino ino) {
    auto const node = nodes.find(ino);
    if (!node.has_value() || node->place != Place::index) {
        return {};
    }
    struct stat const info = OBLEA_TRY(sys::fstatat(up().index.get(), node->name.c_str()));
    if (info.st_nlink > 1 || OBLEA_TRY(lower_names_left(lower_of(ino))) > 0) {
        return {};
    }
    std::string orphan = std::to_string(number(ino));
    OBLEA_TRY(
        sys::renameat2(up().index.get(), node->name.c_str(), up().orphans.get(), orphan.c_str()));
    {
        std::scoped_lock const lock{anchors.mutex};
        anchors.by_upper_ino.erase(info.st_ino);
    }
    static_cast<void>(nodes.update(ino, [&](Node& n) {
        n.linkage = Linkage::unlinked;
        n.place = Place::orphan;
        n.name = std::move(orphan);
    }));
    collect(ino);
    return {};
}

}  // namespace oblea::fs
