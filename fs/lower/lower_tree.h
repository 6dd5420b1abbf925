// SPDX-License-Identifier: MIT
// What the union needs to know of the read-only tree below it, whatever that is made of.
//
// Implementations: the merged index of an image (image_lower.h); stacks of plain folders
// (folder_lower.h); trees in memory, for tests. Immutable: an inode number means the same file, and
// a folder has the same entries at the same positions, for as long as the object lives. Safe from
// any thread. Errors are those of the source: EUCLEAN and EIO for what is damaged.
#pragma once
#include "store/base/unique_fd.h"
#include "store/index/types.h"

#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

namespace oblea::fs {

struct LowerEntry {
    std::string_view name{};  // lives as long as the tree
    store::InodeNo ino = store::InodeNo::none;
    store::FileType type = store::FileType::regular;
};

// stat's answer, as far as the source knows it.
struct LowerAttr : store::InodeAttr {
    store::Timestamp atime{};
    store::Timestamp ctime{};
    std::uint64_t blocks_512 = 0;
};

// One of the names of an inode.
struct LowerName {
    store::InodeNo directory = store::InodeNo::none;
    std::string_view name{};  // lives as long as the tree
};

class LowerTree {
public:
    LowerTree() = default;
    LowerTree(LowerTree const&) = delete;
    LowerTree& operator=(LowerTree const&) = delete;
    virtual ~LowerTree() = default;

    // Numbers run from 1, the root folder, to this one at most; a source that numbers what it meets
    // says how far it can go. ESTALE is the answer to a number that was not given out.
    [[nodiscard]] virtual std::uint32_t inode_count() const = 0;
    // What programs see as st_ino: one number for one inode, the same after a remount. Below
    // kNewInoFirst, or from kForeignInoFirst on.
    [[nodiscard]] virtual std::uint64_t st_ino(store::InodeNo ino) const {
        return static_cast<std::uint64_t>(ino);
    }

    virtual Result<LowerAttr> attr(store::InodeNo ino) const = 0;
    virtual Result<std::optional<LowerEntry>> lookup(store::InodeNo directory,
                                                     std::string_view name) const = 0;
    // Entries are sorted bytewise by name.
    virtual Result<std::uint32_t> entry_count(store::InodeNo directory) const = 0;
    virtual Result<LowerEntry> entry(store::InodeNo directory, std::uint32_t position) const = 0;
    virtual Result<store::InodeNo>
    parent(store::InodeNo directory) const = 0;  // of the root: the root
    // Every name of an inode that is known; none for the root. May be slow at its first call, which
    // is the first change of a mount.
    virtual Result<std::vector<LowerName>> names(store::InodeNo ino) const = 0;
    // Looks for names that a source has not met yet: from then on names() is complete.
    virtual Status find_all_names() const { return {}; }

    virtual Result<std::string> symlink_target(store::InodeNo ino) const = 0;
    virtual Result<std::optional<std::string>> xattr(store::InodeNo ino,
                                                     std::string_view name) const = 0;
    virtual Result<std::vector<std::string>> xattr_names(store::InodeNo ino) const = 0;

    // As ImageView has them.
    virtual Result<std::size_t> read(store::InodeNo file, base::MutableBytes buffer,
                                     std::uint64_t offset) const = 0;
    virtual Result<base::ByteView> mapped(store::InodeNo file, std::uint64_t offset,
                                          std::size_t bytes) const = 0;
    virtual Result<std::shared_ptr<base::UniqueFd const>> object(store::InodeNo file) const = 0;
    enum class Seek { data, hole };
    virtual Result<std::uint64_t> seek(store::InodeNo file, std::uint64_t offset,
                                       Seek what) const = 0;

    // What identifies the inode in uppers, beyond this merge: a file name of at most 128 printable
    // bytes (for images the diff ID of its layer and its number there). Empty for a folder that is
    // told by its name, or by the redirect of a renamed one.
    virtual Result<std::string> origin_key(store::InodeNo ino) const = 0;
    virtual Result<std::optional<store::InodeNo>> find_origin(std::string_view key) const = 0;

    // Brings into memory what the first requests will ask for, or as much of it as pays. Ends soon
    // when that is asked for.
    virtual void warm_up(std::stop_token const& /*ended*/) const {}

    // In a process forked from the one that opened the tree, when another such process was killed:
    // from then on a number means what it meant there. Before any other thread uses the tree.
    // Errors: ESTALE when the source was changed.
    virtual Status resume() const { return {}; }
};

}  // namespace oblea::fs
