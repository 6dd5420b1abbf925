// SPDX-License-Identifier: MIT
// A stack of plain folders as one lower tree, as overlayfs and fuse-overlayfs see it.
//
// Nothing is read before it is asked for: a folder's listings are read and merged when something in
// it is looked up, and kept. Inodes are numbered as they are met; what is kept of one is its name
// and some 60 bytes, never a descriptor (those of folders and open files are in bounded caches).
// Attributes and contents are read from the layers each time. The layers must not change while the
// tree lives (overlayfs.rst "Changes to underlying filesystems").
//
// Two names are one inode exactly when they have one number on one file system. Paths are resolved
// beneath their layer's root and never through links or into other mounts, whatever a layer holds.
//
// In which order things are met is noted in memory that outlives the process (LowerTree::resume).
//
// A layer whose root has user.containers.override_stat (or fuse-overlayfs' own names for it) is one
// in which owners, modes and kinds of files were recorded so, and is shown as recorded.
#pragma once
#include "fs/lower/lower_tree.h"
#include "fs/shared_memory.h"

#include <memory>
#include <string>
#include <vector>

namespace oblea::fs {

struct FolderLowerOptions {
    // Whose redirects of folders are followed. Programs can set attributes of the user space
    // themselves, so these are believed only where the trusted space is closed to the server too.
    enum class Redirects { none, trusted, user } redirects = Redirects::trusted;
    // Link counts of folders: 2 + folders in it, for which the listings of merged ones must be
    // read, or always 1.
    enum class FolderLinks { counted, one } folder_links = FolderLinks::counted;
};

class FolderStack : public LowerTree {
public:
    // What another program needs to go on with the tree; they stay ours.
    struct Descriptors {
        std::vector<int> roots{};  // of the layers, the bottom first
        int numbering = -1;
    };
    [[nodiscard]] virtual Descriptors descriptors() const = 0;
};

// `layers`: paths of folders, the bottom first.
// Errors: EINVAL for no layer, or more than kLayersMax; ENOENT, ENOTDIR, EACCES naming the layer;
// EBUSY for the upper layer of an image's container, or of a mount that was not taken down: only
// oblea knows what of it is meant (`oblea seal`).
Result<std::shared_ptr<FolderStack const>> folder_lower(std::vector<std::string> const& layers,
                                                        FolderLowerOptions const& options);

// In a program that takes over from the one that called folder_lower(), with the same options: what
// that one's descriptors() are. resume() must follow.
struct FolderStackMemory {
    std::vector<base::UniqueFd> roots;
    SharedMemory numbering;
};
Result<std::shared_ptr<FolderStack const>> adopt_folder_lower(FolderStackMemory memory,
                                                              FolderLowerOptions const& options);

}  // namespace oblea::fs
