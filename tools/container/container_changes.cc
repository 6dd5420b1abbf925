// SPDX-License-Identifier: MIT
#include "tools/container/container_changes.h"

#include "fs/lower/image_lower.h"
#include "fs/upper/upper_changes.h"
#include "store/base/absence.h"
#include "store/base/sys.h"
#include "store/image/image_view.h"

#include <dirent.h>
#include <linux/openat2.h>

#include <algorithm>

namespace oblea::tools {
namespace {

namespace sys = base::sys;
using base::UniqueFd;
using fs::UpperChange;
using store::FileType;
using store::InodeNo;
using store::RelPath;
using store::TarStep;

using Lower = std::shared_ptr<fs::LowerTree const>;

Result<Lower> open_lower(ContainerView const& view) {
    return fs::image_lower(OBLEA_TRY(store::ImageView::open(view.store, view.container.layers)));
}

Result<UniqueFd> open_folder(int root, RelPath const& path) {
    return sys::openat2(root, path.c_str(), O_RDONLY | O_DIRECTORY,
                        RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS);
}

Result<bool> same_xattrs(int folder, fs::LowerTree const& lower, InodeNo below) {
    auto shown = OBLEA_TRY(sys::flistxattr(folder));
    std::erase(shown, "security.selinux");
    auto const names = OBLEA_TRY(lower.xattr_names(below));
    if (shown.size() != names.size()) {
        return false;
    }
    for (std::string const& name : shown) {
        auto const now = OBLEA_TRY(sys::fgetxattr(folder, name.c_str()));
        auto const before = OBLEA_TRY(lower.xattr(below, name));
        if (!now.has_value() || !before.has_value() || *now != *before) {
            return false;
        }
    }
    return true;
}

// Whether a folder of the image is itself still as the image has it.
Result<bool> is_unchanged(ContainerView const& view, fs::LowerTree const& lower,
                          UpperChange const& change) {
    auto const folder = open_folder(view.root, change.path);
    if (!folder.has_value()) {
        return base::is_absent(folder.error().code)
                   ? Result<bool>{true}
                   : Result<bool>{std::unexpected<Error>(folder.error())};
    }
    struct stat const info = OBLEA_TRY(sys::fstat(folder->get()));
    store::InodeAttr const attr = OBLEA_TRY(lower.attr(change.below));
    bool const same_owner = view.container.owner_ids == OwnerIds::squashed ||
                            (info.st_uid == attr.uid && info.st_gid == attr.gid);
    if (!same_owner || (info.st_mode & 07777U) != attr.permissions ||
        info.st_mtim.tv_sec != attr.mtime.seconds ||
        static_cast<std::uint32_t>(info.st_mtim.tv_nsec) != attr.mtime.nanoseconds) {
        return false;
    }
    return same_xattrs(folder->get(), lower, change.below);
}

bool lies_in(RelPath const& path, RelPath const& folder) {
    return folder.is_root() || path.string().starts_with(folder.string() + '/');
}

// The walk without the folders in which nothing came of it.
Result<std::vector<UpperChange>> true_changes(ContainerView const& view,
                                              fs::LowerTree const& lower) {
    std::string const work_path = view.container.folder() + "/work";
    auto const work =
        OBLEA_TRY(sys::openat(view.store.root(), work_path.c_str(), O_RDONLY | O_DIRECTORY));
    fs::MarkSpace const space = OBLEA_TRY(fs::mark_space_of(work.get()));
    auto const walked = OBLEA_TRY(fs::walk_upper(view.upper, space, lower));
    std::vector<UpperChange> kept;
    // From the end: what is in a folder is decided before the folder.
    for (auto change = walked.rbegin(); change != walked.rend(); ++change) {
        if (change->kind == UpperChange::Kind::on_the_way) {
            bool const leads =
                !change->path.is_root() && !kept.empty() && lies_in(kept.back().path, change->path);
            if (!leads && OBLEA_TRY(is_unchanged(view, lower, *change))) {
                continue;
            }
        }
        kept.push_back(*change);
    }
    std::ranges::reverse(kept);
    return kept;
}

std::string shown_path(RelPath const& path) {
    return '/' + path.string();
}

// What a folder that hides the image's, or is new, adds to and takes from it.
class TreeChanges {
public:
    TreeChanges(int root, fs::LowerTree const& lower, std::vector<PathChange>& found)
        : root_(root), lower_(lower), found_(found) {}

    Status add(RelPath const& path, InodeNo below) {
        todo_.emplace_back(path, below);
        while (!todo_.empty()) {
            auto const [folder, folder_below] = std::move(todo_.back());
            todo_.pop_back();
            OBLEA_TRY(add_folder(folder, folder_below));
        }
        return {};
    }

private:
    Status add_folder(RelPath const& path, InodeNo below) {
        auto const folder = open_folder(root_, path);
        if (!folder.has_value()) {
            return base::is_absent(folder.error().code)
                       ? Status{}
                       : Status{std::unexpected<Error>(folder.error())};
        }
        std::vector<std::string> names;
        for (sys::DirEntry& entry : OBLEA_TRY(sys::list_dir(folder->get()))) {
            OBLEA_TRY(add_entry(path, below, entry));
            names.push_back(std::move(entry.name));
        }
        std::ranges::sort(names);
        return below == InodeNo::none ? Status{} : add_deleted(path, below, names);
    }

    Status add_entry(RelPath const& folder, InodeNo below, sys::DirEntry const& entry) {
        RelPath path = folder / OBLEA_TRY(store::Name::parse(entry.name));
        std::optional<fs::LowerEntry> before;
        if (below != InodeNo::none) {
            before = OBLEA_TRY(lower_.lookup(below, entry.name));
        }
        found_.push_back(
            {.path = shown_path(path),
             .kind = before.has_value() ? PathChange::Kind::changed : PathChange::Kind::added});
        if (entry.type == DT_DIR) {
            bool const both = before.has_value() && before->type == FileType::directory;
            todo_.emplace_back(std::move(path), both ? before->ino : InodeNo::none);
        }
        return {};
    }

    Status add_deleted(RelPath const& folder, InodeNo below,
                       std::vector<std::string> const& names) {
        std::uint32_t const count = OBLEA_TRY(lower_.entry_count(below));
        for (std::uint32_t i = 0; i < count; ++i) {
            fs::LowerEntry const entry = OBLEA_TRY(lower_.entry(below, i));
            if (!std::ranges::binary_search(names, entry.name)) {
                RelPath const path = folder / OBLEA_TRY(store::Name::parse(entry.name));
                found_.push_back({.path = shown_path(path), .kind = PathChange::Kind::deleted});
            }
        }
        return {};
    }

    int root_;
    fs::LowerTree const& lower_;
    std::vector<PathChange>& found_;
    std::vector<std::pair<RelPath, InodeNo>> todo_;
};

PathChange::Kind kind_of(UpperChange const& change) {
    if (change.kind == UpperChange::Kind::gone) {
        return PathChange::Kind::deleted;
    }
    return change.is_in_image() ? PathChange::Kind::changed : PathChange::Kind::added;
}

TarStep::Kind step_of(UpperChange const& change) {
    switch (change.kind) {
    case UpperChange::Kind::gone:
        return TarStep::Kind::whiteout;
    case UpperChange::Kind::tree:
        return change.hides_folder() ? TarStep::Kind::opaque_tree : TarStep::Kind::tree;
    case UpperChange::Kind::on_the_way:
    case UpperChange::Kind::file:
        break;
    }
    return TarStep::Kind::member;
}

}  // namespace

Result<std::vector<PathChange>> list_changes(ContainerView const& view) {
    Lower const lower = OBLEA_TRY(open_lower(view));
    std::vector<PathChange> found;
    TreeChanges trees{view.root, *lower, found};
    auto const changes = OBLEA_TRY(true_changes(view, *lower));
    for (UpperChange const& change : changes) {
        if (change.path.is_root()) {
            continue;
        }
        found.push_back({.path = shown_path(change.path), .kind = kind_of(change)});
        if (change.kind == UpperChange::Kind::tree) {
            OBLEA_TRY(trees.add(change.path, change.hides_folder() ? change.below : InodeNo::none));
        }
    }
    std::ranges::sort(found);
    return found;
}

Result<std::vector<TarStep>> plan_layer(ContainerView const& view) {
    Lower const lower = OBLEA_TRY(open_lower(view));
    auto const changes = OBLEA_TRY(true_changes(view, *lower));
    std::vector<TarStep> steps;
    for (UpperChange const& change : changes) {
        TarStep step{.path = change.path, .kind = step_of(change)};
        if (view.container.owner_ids == OwnerIds::squashed && change.is_in_image()) {
            store::InodeAttr const attr = OBLEA_TRY(lower->attr(change.below));
            step.owner = store::TarOwner{.uid = attr.uid, .gid = attr.gid};
        }
        steps.push_back(std::move(step));
    }
    return steps;
}

store::FolderTarOptions layer_options(Container const& container,
                                      std::optional<std::int64_t> latest) {
    store::FolderTarOptions options{.latest = latest};
    if (container.owner_ids == OwnerIds::squashed) {
        options.owner = store::TarOwner{};
    }
    return options;
}

}  // namespace oblea::tools
