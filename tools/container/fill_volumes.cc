// SPDX-License-Identifier: MIT
#include "tools/container/fill_volumes.h"

#include "store/base/absence.h"
#include "store/base/scope_exit.h"
#include "store/base/sys.h"
#include "store/layer/layout.h"
#include "tools/container/copy_tree.h"
#include "tools/mount/private_mounts.h"
#include "tools/mount/volumes.h"

#include <linux/fs.h>
#include <unistd.h>

#include <optional>

namespace oblea::tools {
namespace {

namespace sys = base::sys;
using base::UniqueFd;

// Beside the volume's data: a copy that is being made, and one that is whole and on disk.
constexpr char const* kFilling = "filling";
constexpr char const* kFilled = "filled";

Result<UniqueFd> open_folder(int dir, char const* path) {
    return sys::openat(dir, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
}

Result<bool> is_empty(UniqueFd const& folder) {
    return OBLEA_TRY(sys::list_dir(folder.get())).empty();
}

Status copy_attributes(UniqueFd const& from, UniqueFd const& to, OwnerIds ids) {
    struct stat const info = OBLEA_TRY(sys::fstat(from.get()));
    if (ids == OwnerIds::real) {
        OBLEA_TRY(sys::fchownat(to.get(), "", info.st_uid, info.st_gid, AT_EMPTY_PATH));
    }
    return sys::fchmod(to.get(), info.st_mode & 07777U);
}

// libarchive knows no folders but the working one.
Status unpack_into(UniqueFd const& folder, UniqueFd const& source, OwnerIds ids) {
    UniqueFd const here = OBLEA_TRY(sys::open(".", O_PATH | O_DIRECTORY));
    base::ScopeExit const back{[&] { static_cast<void>(::fchdir(here.get())); }};
    auto const tar = tar_of(OBLEA_TRY(sys::duplicate(source.get())), ".", {});
    OBLEA_TRY(unpack_tar(*tar, {.target = folder.get(),
                                .rename = {},
                                .owners = ids == OwnerIds::real ? UnpackWish::Owners::kept
                                                                : UnpackWish::Owners::caller}));
    return {};
}

class Filler {
public:
    Filler(UniqueFd volume, UniqueFd data, OwnerIds ids)
        : volume_(std::move(volume)), data_(std::move(data)), ids_(ids) {}

    // What a crash has left: a part of a copy, or what it has kept from being moved.
    Status finish_last() {
        OBLEA_TRY(sys::remove_tree(volume_.get(), kFilling));
        auto const filled = open_folder(volume_.get(), kFilled);
        if (!filled.has_value()) {
            return filled.error().code == Errno::enoent
                       ? Status{}
                       : Status{std::unexpected<Error>(filled.error())};
        }
        return move_in(*filled);
    }

    // After finish_last().
    Status fill(UniqueFd const& source) {
        auto const copied = copy_whole(source);
        if (!copied.has_value()) {
            static_cast<void>(sys::remove_tree(volume_.get(), kFilling));  // else the next one does
            return copied;
        }
        // From here on the copy is whole, and is only moved.
        OBLEA_TRY(sys::renameat2(volume_.get(), kFilling, volume_.get(), kFilled));
        OBLEA_TRY(sys::fsync(volume_.get()));
        UniqueFd const filled = OBLEA_TRY(open_folder(volume_.get(), kFilled));
        return move_in(filled);
    }

private:
    Status copy_whole(UniqueFd const& source) {
        OBLEA_TRY(sys::mkdirat(volume_.get(), kFilling, store::layout::kFolderMode));
        UniqueFd const filling = OBLEA_TRY(open_folder(volume_.get(), kFilling));
        OBLEA_TRY(unpack_into(filling, source, ids_));
        OBLEA_TRY(copy_attributes(source, filling, ids_));
        return sys::syncfs(filling.get());
    }

    // A container that has the volume already may have made something of the same name: that stays.
    Status move_in(UniqueFd const& filled) {
        auto const entries = OBLEA_TRY(sys::list_dir(filled.get()));
        for (sys::DirEntry const& entry : entries) {
            char const* const name = entry.name.c_str();
            auto const moved =
                sys::renameat2(filled.get(), name, data_.get(), name, RENAME_NOREPLACE);
            if (!moved.has_value() && moved.error().code != Errno::eexist) {
                return moved;
            }
        }
        OBLEA_TRY(copy_attributes(filled, data_, ids_));
        OBLEA_TRY(sys::fsync(data_.get()));
        return sys::remove_tree(volume_.get(), kFilled);
    }

    UniqueFd volume_;
    UniqueFd data_;
    OwnerIds ids_;
};

// Where the image has a folder.
Result<std::optional<UniqueFd>> source_of(UniqueFd const& root, std::string const& target) {
    auto folder = open_in_root(root, target.c_str(), O_RDONLY | O_DIRECTORY);
    if (!folder.has_value()) {
        Errno const code = folder.error().code;
        return base::is_absent(code) ? Result<std::optional<UniqueFd>>{std::nullopt}
                                     : Result<std::optional<UniqueFd>>{
                                           std::unexpected<Error>(std::move(folder).error())};
    }
    return std::optional{*std::move(folder)};
}

Status fill_volume(store::Store const& store, VolumeMount const& mount, ContainerTree const& tree) {
    Volume const volume = OBLEA_TRY(need_volume(store, mount.name));
    UniqueFd folder = OBLEA_TRY(open_folder(store.root(), volume.folder().c_str()));
    OBLEA_TRY(sys::lock(folder.get(), sys::LockKind::exclusive));
    UniqueFd data = OBLEA_TRY(open_folder(store.root(), volume.data().c_str()));
    UniqueFd const looked_at = OBLEA_TRY(sys::duplicate(data.get()));
    Filler filler{std::move(folder), std::move(data), tree.ids};
    OBLEA_TRY(filler.finish_last());
    if (tree.use == ContainerTree::Use::again || mount.copy == VolumeMount::Copy::no ||
        !OBLEA_TRY(is_empty(looked_at))) {
        return {};
    }
    auto const source = OBLEA_TRY(source_of(tree.root, mount.target));
    return source.has_value() ? filler.fill(*source) : Status{};
}

}  // namespace

Status fill_volumes(store::Store const& store, RunConfig const& config, ContainerTree const& tree) {
    for (VolumeMount const& volume : config.volumes) {
        OBLEA_TRY(with_context(fill_volume(store, volume, tree),
                               [&] { return "volume " + volume.name; }));
    }
    return {};
}

}  // namespace oblea::tools
