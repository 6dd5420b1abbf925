// SPDX-License-Identifier: MIT
// From private to sealed: what only work/ knows becomes part of the tree.
//
// What is there: files of which the upper has a part of the contents; they become whole. Copies of
// files with several names in the lower tree, of which some show only
// through work/index; they become names in the upper. Copies whose origin is told by their name in
// work/index: they get a mark where their kind can have one. Counts of names that were removed from
// files that nobody changed: these go, as overlayfs has no place for them.
#include "fs/union_impl.h"

#include <dirent.h>

namespace oblea::fs {

namespace {

// Loads every folder of the upper, so that lower folders are found wherever they were moved to.
Status load_folders(UnionFs::Impl& fs, Ino folder, std::vector<Pin>& pins) {
    FolderView const seen = OBLEA_TRY(fs.view(folder));
    if (!seen.has_upper) {
        return {};
    }
    SharedFd const dir = OBLEA_TRY(fs.folder_fd(folder));
    for (sys::DirEntry const& entry : OBLEA_TRY(sys::list_dir(dir->get()))) {
        if (entry.type != DT_DIR) {
            continue;
        }
        auto child = OBLEA_TRY(fs.find_child(seen, entry.name));
        if (child.has_value() && child->type == FileType::directory) {
            Ino const ino = child->ino;
            pins.push_back(std::move(child->pin));
            OBLEA_TRY(load_folders(fs, ino, pins));
        }
    }
    return {};
}

}  // namespace

Status UnionFs::seal() {
    Impl& fs = *impl_;
    OBLEA_TRY(fs.need_upper());
    stop_background();
    OBLEA_TRY(fs.complete_everything());
    std::vector<Ino> anchored;
    bool hidden_names = false;
    for (sys::DirEntry const& entry : OBLEA_TRY(sys::list_dir(fs.up().index.get()))) {
        auto const ino = OBLEA_TRY(fs.lower->find_origin(entry.name));
        if (!ino.has_value()) {
            continue;  // of another tree: it shows by the names that it has in the upper
        }
        anchored.push_back(ino_of(*ino));
        hidden_names = hidden_names || OBLEA_TRY(fs.lower_names_left(*ino)) > 0;
    }
    std::vector<Pin> folders;
    if (hidden_names) {
        OBLEA_TRY(fs.lower->find_all_names());
        OBLEA_TRY(load_folders(fs, Ino::root, folders));
    }
    for (Ino const ino : anchored) {
        for (LowerName const& name : OBLEA_TRY(fs.lower->names(lower_of(ino)))) {
            OBLEA_TRY(fs.link_lower_name(ino, name));
        }
        auto const node = fs.nodes.find(ino);
        if (node.has_value() && node->type != FileType::regular &&
            fs.up().space == MarkSpace::trusted) {
            InodeMark mark = OBLEA_TRY(fs.up().read_mark(fs.up().index.get(), node->name));
            mark.origin = node->name;
            OBLEA_TRY(fs.up().write_mark(fs.up().index.get(), node->name, mark));
        }
    }
    OBLEA_TRY(fs.upper->set_state(UpperDir::State::sealed));
    return fs.upper->remove_work();
}

}  // namespace oblea::fs
