// SPDX-License-Identifier: MIT
#include "tools/images/compare_trees.h"

#include "store/base/buffer_bytes.h"
#include "store/base/bytes.h"

#include <algorithm>

namespace oblea::tools {

using store::ContentKind;
using store::FileType;
using store::ImageView;
using store::InodeAttr;
using store::InodeNo;

namespace {

class Comparison {
public:
    Comparison(ImageView const& from, ImageView const& to,
               std::function<void(TreeDifference const&)> const& found)
        : from_(from), to_(to), found_(found), from_bytes_(base::kBufferBytes),
          to_bytes_(base::kBufferBytes) {}

    // Both are sorted by name.
    Status folders(std::string const& path, InodeNo from, InodeNo to) {
        std::uint32_t const from_count = OBLEA_TRY(from_.tree().entry_count(from));
        std::uint32_t const to_count = OBLEA_TRY(to_.tree().entry_count(to));
        std::uint32_t i = 0;
        std::uint32_t j = 0;
        while (i < from_count || j < to_count) {
            auto const old = OBLEA_TRY(entry_at(from_.tree(), from, i, from_count));
            auto const now = OBLEA_TRY(entry_at(to_.tree(), to, j, to_count));
            if (!now.has_value() || (old.has_value() && old->name < now->name)) {
                tell(TreeDifference::Kind::deleted, path, old->name);
                ++i;
            } else if (!old.has_value() || now->name < old->name) {
                tell(TreeDifference::Kind::added, path, now->name);
                ++j;
            } else {
                OBLEA_TRY(entries(path, *old, *now));
                ++i;
                ++j;
            }
        }
        return {};
    }

private:
    static Result<std::optional<store::Dirent>> entry_at(store::Index const& tree, InodeNo folder,
                                                         std::uint32_t at, std::uint32_t count) {
        if (at >= count) {
            return std::optional<store::Dirent>{};
        }
        return std::optional{OBLEA_TRY(tree.entry(folder, at))};
    }

    void tell(TreeDifference::Kind kind, std::string const& folder, std::string_view name) {
        found_({.kind = kind, .path = folder + '/' + std::string{name}});
    }

    Status entries(std::string const& path, store::Dirent const& old, store::Dirent const& now) {
        if (OBLEA_TRY(differ(old.ino, now.ino))) {
            tell(TreeDifference::Kind::changed, path, now.name);
        }
        if (old.type == FileType::directory && now.type == FileType::directory) {
            return folders(path + '/' + std::string{now.name}, old.ino, now.ino);
        }
        return {};
    }

    Result<bool> differ(InodeNo old, InodeNo now) {
        InodeAttr const a = OBLEA_TRY(from_.tree().attr(old));
        InodeAttr const b = OBLEA_TRY(to_.tree().attr(now));
        if (a.type != b.type || a.permissions != b.permissions || a.uid != b.uid ||
            a.gid != b.gid || a.size != b.size || a.device != b.device ||
            OBLEA_TRY(differ_in_xattrs(old, now))) {
            return true;
        }
        if (a.type == FileType::symlink) {
            auto const target = OBLEA_TRY(from_.tree().symlink_target(old));
            return target != OBLEA_TRY(to_.tree().symlink_target(now));
        }
        return a.type == FileType::regular && OBLEA_TRY(differ_in_contents(old, now));
    }

    Result<bool> differ_in_xattrs(InodeNo old, InodeNo now) {
        auto names = OBLEA_TRY(from_.tree().xattr_names(old));
        auto others = OBLEA_TRY(to_.tree().xattr_names(now));
        if (names != others) {
            return true;
        }
        for (auto const name : names) {
            auto const value = OBLEA_TRY(from_.tree().xattr(old, name));
            if (value != OBLEA_TRY(to_.tree().xattr(now, name))) {
                return true;
            }
        }
        return false;
    }

    // Of two files of the same size.
    Result<bool> differ_in_contents(InodeNo old, InodeNo now) {
        auto const a = OBLEA_TRY(from_.tree().content(old));
        auto const b = OBLEA_TRY(to_.tree().content(now));
        bool const plain = a.extents.empty() && b.extents.empty() && a.kind == b.kind;
        if (plain && a.kind == ContentKind::none) {
            return false;
        }
        if (plain && a.kind == ContentKind::object) {
            return a.object != b.object;
        }
        if (plain && a.kind == ContentKind::pack) {
            return a.pack_check != b.pack_check;
        }
        for (std::uint64_t offset = 0;;) {
            std::size_t const count = OBLEA_TRY(from_.read(old, from_bytes_, offset));
            std::size_t const other = OBLEA_TRY(to_.read(now, to_bytes_, offset));
            if (count != other ||
                !std::equal(from_bytes_.begin(),
                            from_bytes_.begin() + static_cast<std::ptrdiff_t>(count),
                            to_bytes_.begin())) {
                return true;
            }
            if (count == 0) {
                return false;
            }
            offset += count;
        }
    }

    ImageView const& from_;
    ImageView const& to_;
    std::function<void(TreeDifference const&)> const& found_;
    base::Bytes from_bytes_;
    base::Bytes to_bytes_;
};

}  // namespace

Status compare_trees(ImageView const& from, ImageView const& to,
                     std::function<void(TreeDifference const&)> const& found) {
    return Comparison{from, to, found}.folders("", InodeNo::root, InodeNo::root);
}

}  // namespace oblea::tools
