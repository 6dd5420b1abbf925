// SPDX-License-Identifier: MIT
// Taking over from a process that served this union and was killed.
//
// The upper on disk says where everything is; only what the kernel remembers is said nowhere else,
// and that is in memory that both processes share (Ledger, LowerCounts). So the nodes are found
// again by looking through the upper once, and those that the kernel does not know are dropped.
//
// Three things that the kernel may know have no entry in the tree: files and folders in
// work/orphans; inodes of the image that lost their last name without ever being copied up, which
// have a mark of their own in LowerCounts; and those where the process died between the whiteout
// and that mark, which the whiteout tells.
#include "fs/union_impl.h"

#include <charconv>

namespace oblea::fs {

namespace {

// The inode number that the name of an orphan is.
std::optional<Ino> parse_orphan(std::string const& name) {
    std::uint64_t value = 0;
    auto const [end, error] = std::from_chars(name.data(), name.data() + name.size(), value);
    if (error != std::errc{} || end != name.data() + name.size()) {
        return std::nullopt;
    }
    return Ino{value};
}

}  // namespace

// Files that lost their last name, and second names of what is about to be found in the tree.
Status UnionFs::Impl::resume_orphans(Known const& known) {
    int const dir = up().orphans.get();
    for (sys::DirEntry const& entry : OBLEA_TRY(sys::list_dir(dir))) {
        auto const ino = parse_orphan(entry.name);
        bool const is_known =
            ino.has_value() &&
            (is_lower_number(*ino) ? counts.contains(number(*ino)) && counts.known(number(*ino))
                                   : known.contains(number(*ino)));
        if (!is_known) {
            OBLEA_TRY(up().remove_orphan(entry.name));
            continue;
        }
        struct stat const info = OBLEA_TRY(sys::fstatat(dir, entry.name.c_str()));
        FileType const type = type_of_mode(info.st_mode);
        bool const last = type == FileType::directory || info.st_nlink == 1;
        InodeMark const mark = OBLEA_TRY(mark_of(dir, entry.name, type));
        bool const partial = mark.contents == InodeMark::Contents::partial;
        auto const from = partial && mark.origin.has_value()
                              ? OBLEA_TRY(lower->find_origin(*mark.origin))
                              : std::nullopt;
        nodes.insert(Node{.ino = *ino,
                          .type = type,
                          .state = marked_state(mark),
                          .linkage = last ? Linkage::unlinked : Linkage::linked,
                          .place = Place::orphan,
                          .name = entry.name,
                          .upper_ino = info.st_ino,
                          .lower = from.value_or(InodeNo::none),
                          .subfolders = type == FileType::directory ? 0 : -1,
                          .permissions = mark.permissions,
                          .owner = mark.owner},
                     [](Node&, NodeTable::Inserted) {});
    }
    return {};
}

// One folder of the upper: what the kernel knows of it gets its node.
Status UnionFs::Impl::resume_folder(Ino folder, std::vector<Ino>& covered,
                                    std::vector<Child>& subfolders) {
    FolderView const seen = OBLEA_TRY(view(folder));
    if (!seen.has_upper) {
        return {};
    }
    SharedFd const dir = OBLEA_TRY(folder_fd(folder));
    for (sys::DirEntry const& entry : OBLEA_TRY(sys::list_dir(dir->get()))) {
        struct stat const info = OBLEA_TRY(sys::fstatat(dir->get(), entry.name.c_str()));
        if (OBLEA_TRY(up().is_whiteout(dir->get(), entry.name, info))) {
            if (seen.lower != InodeNo::none) {
                if (auto const below = OBLEA_TRY(lower->lookup(seen.lower, entry.name))) {
                    covered.push_back(ino_of(below->ino));
                }
            }
            continue;
        }
        Child child = OBLEA_TRY(load(seen, dir->get(), entry.name, info));
        if (child.type == FileType::directory) {
            subfolders.push_back(std::move(child));
        }
    }
    return {};
}

// `covered`: inodes of the image whose name a whiteout hides.
Status UnionFs::Impl::resume_tree(std::vector<Ino>& covered) {
    std::vector<Child> todo;
    OBLEA_TRY(resume_folder(Ino::root, covered, todo));
    while (!todo.empty()) {
        Child const folder = std::move(todo.back());
        todo.pop_back();
        OBLEA_TRY(resume_folder(folder.ino, covered, todo));
    }
    return {};
}

// An inode of the image that no name leads to, if the kernel knows it and it was not found.
void UnionFs::Impl::resume_unlinked(Ino ino) {
    if (!nodes.known(ino)) {
        return;
    }
    auto const type = type_of(ino);
    if (!type.has_value()) {
        return;  // a damaged image says so when it is read
    }
    nodes.insert(Node{.ino = ino, .type = *type, .linkage = Linkage::unlinked},
                 [](Node&, NodeTable::Inserted) {});
}

Status UnionFs::Impl::resume() {
    OBLEA_TRY(lower->resume());
    if (upper == nullptr) {
        return {};  // nothing else is remembered of what nobody changes
    }
    stop_background();
    std::vector<std::uint64_t> const unlinked = OBLEA_TRY(counts.start_over());
    Known const known = ledger.start_over();
    nodes.start_over(known);
    {
        base::LockGuard const lock{handles.mutex};
        // Numbers that nobody was given before.
        handles.next = (std::uint64_t{ledger.generation()} << 32U) + 1;
    }
    {
        base::LockGuard const lock{anchors.mutex};
        anchors.by_upper_ino.clear();
    }
    {
        base::LockGuard const lock{link_counts.mutex};
        link_counts.left.clear();
    }
    partials.clear();
    OBLEA_TRY(up().look_for_maps());
    OBLEA_TRY(up().clean_tmp());
    OBLEA_TRY(resume_orphans(known));
    OBLEA_TRY(load_upper());
    std::vector<Ino> covered;
    OBLEA_TRY(resume_tree(covered));
    for (std::uint64_t const ino : unlinked) {
        resume_unlinked(Ino{ino});
    }
    for (Ino const ino : covered) {
        if (OBLEA_TRY(lower->attr(lower_of(ino))).nlink == 1) {
            resume_unlinked(ino);
        }
    }
    nodes.end_start_over();
    return {};
}

}  // namespace oblea::fs
