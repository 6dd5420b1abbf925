// SPDX-License-Identifier: MIT
// A merged index as a lower tree: everything but the contents of files, which a derived class
// gives.
#pragma once
#include "fs/lower/lower_tree.h"
#include "store/base/mutex.h"
#include "store/index/index.h"

#include <map>

namespace oblea::fs {

class IndexLower : public LowerTree {
public:
    // `index` must outlive this object.
    explicit IndexLower(store::Index const& index) : index_(index) {}

    [[nodiscard]] std::uint32_t inode_count() const override { return index_.inode_count(); }
    // An image has one time and no blocks.
    Result<LowerAttr> attr(store::InodeNo ino) const override;
    Result<std::optional<LowerEntry>> lookup(store::InodeNo directory,
                                             std::string_view name) const override;
    Result<std::uint32_t> entry_count(store::InodeNo directory) const override {
        return index_.entry_count(directory);
    }
    Result<LowerEntry> entry(store::InodeNo directory, std::uint32_t position) const override;
    Result<store::InodeNo> parent(store::InodeNo directory) const override {
        return index_.parent(directory);
    }
    Result<std::vector<LowerName>> names(store::InodeNo ino) const override;
    Result<std::string> symlink_target(store::InodeNo ino) const override;
    Result<std::optional<std::string>> xattr(store::InodeNo ino,
                                             std::string_view name) const override;
    Result<std::vector<std::string>> xattr_names(store::InodeNo ino) const override;
    Result<std::string> origin_key(store::InodeNo ino) const override;
    Result<std::optional<store::InodeNo>> find_origin(std::string_view key) const override;
    // The index, in its order and not in that of the questions; unless it is larger than what a
    // mount may want to read of it.
    void warm_up(std::stop_token const& ended) const override;

protected:
    [[nodiscard]] store::Index const& index() const { return index_; }

private:
    struct NameRef {
        store::InodeNo ino;
        store::InodeNo directory;
        std::uint32_t position;
    };
    // The index has no way from an inode to its names, which only a first copy-up needs: all names,
    // sorted by inode, made when they are first asked for.
    struct Reverse {
        base::Mutex mutex;
        bool made OBLEA_GUARDED_BY(mutex) = false;
        std::vector<NameRef> names;  // not changed once made
    };
    Status make_reverse() const OBLEA_REQUIRES(reverse_.mutex);

    store::Index const& index_;
    mutable Reverse reverse_;
};

}  // namespace oblea::fs
