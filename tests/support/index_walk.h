// SPDX-License-Identifier: MIT
// Calls every accessor of an index with every number that it could take, and some that it could
// not.
#pragma once
#include "store/index/index.h"

#include <algorithm>

namespace oblea::test {

class IndexWalk {
public:
    explicit IndexWalk(store::Index const& index) : index_(index) {}

    // How many answers said that the file is damaged. `entries_max` bounds the work, since folders
    // of a damaged index may claim each other's entries.
    std::size_t run(std::uint64_t entries_max) {
        entries_left_ = entries_max;
        std::uint32_t const count = index_.inode_count();
        for (std::uint32_t number = 0; number <= count + 1 && number <= entries_max; ++number) {
            visit(store::InodeNo{number});
        }
        visit(store::InodeNo{0xffff'ffffU});
        for (std::uint32_t i = 0; i <= index_.layer_count(); ++i) {
            note(index_.layer(store::LayerPos{i}));
        }
        for (std::uint32_t i = 0; i <= index_.object_count(); ++i) {
            note(index_.object(i));
        }
        return damaged_;
    }

private:
    // The answer, if there is one.
    template <typename T>
    std::optional<T> note(Result<T> result) {
        if (!result.has_value()) {
            Errno const code = result.error().code;
            damaged_ += code == Errno::einval || code == Errno::enotdir ? 0 : 1;
            return std::nullopt;
        }
        return *std::move(result);
    }

    void touch(std::string_view bytes) {
        for (char const c : bytes) {
            sum_ = sum_ + static_cast<unsigned char>(c);
        }
    }

    void visit(store::InodeNo ino) {
        note(index_.attr(ino));
        note(index_.is_opaque(ino));
        note(index_.is_implicit(ino));
        note(index_.parent(ino));
        if (auto const origin = note(index_.origin(ino)); origin.has_value()) {
            note(index_.find_origin(*origin));
        }
        if (auto const target = note(index_.symlink_target(ino)); target.has_value()) {
            touch(*target);
        }
        if (auto const content = note(index_.content(ino)); content.has_value()) {
            for (store::Extent const& extent : content->extents) {
                sum_ = sum_ + extent.bytes;
            }
        }
        visit_xattrs(ino);
        auto const count = note(index_.entry_count(ino));
        for (std::uint32_t i = 0; count.has_value() && i <= *count && entries_left_ > 0; ++i) {
            --entries_left_;
            visit_entry(ino, i);
        }
    }

    void visit_entry(store::InodeNo folder, std::uint32_t position) {
        auto const entry = note(index_.entry(folder, position));
        if (entry.has_value()) {
            touch(entry->name);
            touch(entry->external_link_target);
            auto const found = note(index_.lookup(folder, entry->name));
            bool const same = found.has_value() && found->has_value() &&
                              (*found)->kind == entry->kind && (*found)->ino == entry->ino;
            damaged_ += same ? 0 : 1;
        }
    }

    void visit_xattrs(store::InodeNo ino) {
        note(index_.has_xattrs(ino));
        auto const names = note(index_.xattr_names(ino));
        if (!names.has_value()) {
            return;
        }
        std::size_t const count = std::min<std::size_t>(names->size(), 1000);
        for (std::size_t i = 0; i < count; ++i) {
            touch((*names)[i]);
            auto const value = note(index_.xattr(ino, (*names)[i]));
            if (value.has_value() && value->has_value()) {
                touch(**value);
            } else {
                ++damaged_;
            }
        }
    }

    store::Index const& index_;
    std::size_t damaged_ = 0;
    std::uint64_t entries_left_ = 0;
    std::uint64_t volatile sum_ = 0;  // so that no read is left out
};

}  // namespace oblea::test
