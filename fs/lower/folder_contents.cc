// SPDX-License-Identifier: MIT
// Contents of the files in a stack of folders.
#include "fs/lower/folder_lower_impl.h"

#include <unistd.h>

namespace oblea::fs {

// A file of which its layer holds the attributes alone has its bytes in a layer below.
// SPEC: overlayfs.rst "Metadata only copy up".
Result<SharedFd> FolderLower::open_data(InodeRecord const& one, At const& at) const {
    InodeNo const folder{one.parent.load(std::memory_order_acquire)};
    InodeRecord const* const above = OBLEA_TRY(record(folder));
    auto const redirect =
        OBLEA_TRY(layer_xattr(at.folder->get(), at.name, "trusted.overlay.redirect"));
    for (std::uint16_t layer = one.layer; layer-- > 0;) {
        std::optional<std::string> path;
        if (redirect.has_value() && redirect->starts_with('/')) {
            path = redirected_path("", *redirect);
        } else if (above->folder->part(layer) != nullptr) {
            std::string const part = OBLEA_TRY(part_path(folder, layer));
            path = redirected_path(part, redirect.value_or(at.name));
        }
        if (!path.has_value()) {
            continue;
        }
        auto const parsed = OBLEA_TRY(store::RelPath::parse(*path));
        auto const dir = FolderLayers::open_folder(layers_->root(layer), parsed.parent().string());
        if (!dir.has_value()) {
            continue;
        }
        std::string const name{parsed.filename()};
        auto const info = OBLEA_TRY(sys::stat_if_exists((*dir)->get(), name.c_str()));
        if (!info.has_value()) {
            continue;
        }
        if (!S_ISREG(info->st_mode)) {
            break;
        }
        if (!OBLEA_TRY(layer_xattr((*dir)->get(), name, "trusted.overlay.metacopy")).has_value()) {
            return std::make_shared<UniqueFd const>(
                OBLEA_TRY(sys::openat((*dir)->get(), name.c_str(), O_RDONLY | O_NOFOLLOW)));
        }
    }
    return fail(Errno::eio, "lower", "a file whose data no layer has");
}

Result<SharedFd> FolderLower::open_file(InodeNo file) const {
    if (SharedFd open = files_.find(cache_key(file, 0))) {
        return open;
    }
    InodeRecord const* const one = OBLEA_TRY(record(file));
    if (one->type != FileType::regular) {
        return fail(Errno::einval, "lower");
    }
    At const at = OBLEA_TRY(locate(*one));
    constexpr int kFlags = O_RDONLY | O_NOFOLLOW | O_NONBLOCK;
    auto opened = sys::openat(at.folder->get(), at.name.c_str(), kFlags | O_NOATIME);
    if (!opened.has_value() && opened.error().code == Errno::eperm) {
        opened = sys::openat(at.folder->get(), at.name.c_str(), kFlags);  // of somebody else
    }
    UniqueFd own = OBLEA_TRY(std::move(opened));
    struct stat const info = OBLEA_TRY(sys::fstat(own.get()));
    if (!S_ISREG(info.st_mode)) {
        return fail(Errno::estale, "lower", "a lower folder was changed");
    }
    bool moved = false;
    if (info.st_blocks == 0 && info.st_size > 0) {
        auto const metacopy = OBLEA_TRY(sys::fgetxattr(own.get(), "trusted.overlay.metacopy"));
        moved = metacopy.has_value();
    }
    SharedFd shared;
    if (moved) {
        shared = OBLEA_TRY(open_data(*one, at));
    } else {
        shared = std::make_shared<UniqueFd const>(std::move(own));
    }
    files_.put(cache_key(file, 0), shared);
    return shared;
}

Result<std::size_t> FolderLower::read(InodeNo file, base::MutableBytes buffer,
                                      std::uint64_t offset) const {
    return sys::pread_full(OBLEA_TRY(open_file(file))->get(), buffer, offset);
}

Result<std::shared_ptr<UniqueFd const>> FolderLower::object(InodeNo file) const {
    return open_file(file);
}

Result<std::uint64_t> FolderLower::seek(InodeNo file, std::uint64_t offset, Seek what) const {
    return sys::lseek(OBLEA_TRY(open_file(file))->get(), offset,
                      what == Seek::data ? SEEK_DATA : SEEK_HOLE);
}

}  // namespace oblea::fs
