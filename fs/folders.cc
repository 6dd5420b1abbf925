// SPDX-License-Identifier: MIT
// Reading folders. Positions are those of plan/merge_listings.h: a reader goes on at a key.
#include "fs/union_impl.h"

#include <dirent.h>

#include <algorithm>

namespace oblea::fs {

namespace {

FileType type_of_dirent(unsigned char type) {
    return type_of_mode(static_cast<std::uint32_t>(DTTOIF(type)));
}

}  // namespace

Result<Listing> UnionFs::Impl::list_folder(Ino folder) {
    FolderView const seen = OBLEA_TRY(view(folder));
    if (seen.linkage == Linkage::unlinked) {
        return Listing{};
    }
    std::vector<UpperListed> above;
    if (seen.has_upper) {
        SharedFd const dir = OBLEA_TRY(folder_fd(folder));
        for (sys::DirEntry& entry : OBLEA_TRY(sys::list_dir(dir->get()))) {
            UpperListed listed{
                .name = entry.name, .upper_ino = entry.ino, .type = type_of_dirent(entry.type)};
            bool const doubtful = entry.type == DT_CHR || entry.type == DT_UNKNOWN ||
                                  (entry.type == DT_REG &&
                                   up().whiteout_style == UpperDir::Impl::WhiteoutStyle::xattr);
            if (doubtful) {
                auto const info = OBLEA_TRY(sys::stat_if_exists(dir->get(), entry.name.c_str()));
                if (!info.has_value()) {
                    continue;
                }
                listed.type = type_of_mode(info->st_mode);
                if (OBLEA_TRY(up().is_whiteout(dir->get(), entry.name, *info))) {
                    listed.kind = UpperListed::Kind::whiteout;
                }
            }
            above.push_back(std::move(listed));
        }
    }
    std::vector<LowerListed> below;
    if (seen.lower != InodeNo::none) {
        std::uint32_t const count = OBLEA_TRY(lower->entry_count(seen.lower));
        below.reserve(count);
        for (std::uint32_t position = 0; position < count; ++position) {
            LowerEntry const entry = OBLEA_TRY(lower->entry(seen.lower, position));
            below.push_back({entry.name, entry.ino, entry.type});
        }
    }
    return Listing{merge_listings(below, std::move(above))};
}

Result<Ino> UnionFs::Impl::listed_ino(FolderView const& folder, SharedFd const& fd,
                                      MergedListed const& entry) {
    if (entry.source == MergedListed::Source::lower) {
        return ino_of(entry.lower);
    }
    // The common case without a look at the file: born in the upper, in a folder that nothing was
    // moved into.
    bool anchored = false;
    {
        base::LockGuard const lock{anchors.mutex};
        anchored = anchors.by_upper_ino.contains(entry.upper_ino);
    }
    if (!anchored && entry.below == MergedListed::Below::no && folder.impure == Node::Impure::no) {
        return new_ino(entry.upper_ino);
    }
    auto const identity = identify(folder, fd->get(), entry.name, entry.type, entry.upper_ino);
    if (!identity.has_value()) {
        if (identity.error().code == Errno::enoent) {
            return new_ino(entry.upper_ino);  // gone meanwhile
        }
        return std::unexpected<Error>(identity.error());
    }
    return identity->ino;
}

Result<std::shared_ptr<Listing const>> UnionFs::Impl::listing_for(Ino folder, Handle handle,
                                                                  std::uint64_t position) {
    auto const id = static_cast<std::uint64_t>(handle);
    if (position > kDotDotKey) {
        base::LockGuard const lock{handles.mutex};
        auto const open = handles.open.find(id);
        if (open != handles.open.end() && open->second != nullptr) {
            return open->second;
        }
    }
    std::shared_ptr<Listing const> made;
    {
        auto const lock = folder_locks.share(folder);
        made = std::make_shared<Listing const>(OBLEA_TRY(list_folder(folder)));
    }
    base::LockGuard const lock{handles.mutex};
    auto const open = handles.open.find(id);
    if (open != handles.open.end()) {
        open->second = made;
    }
    return made;
}

Result<Ino> UnionFs::Impl::parent_of(Ino folder) const {
    if (auto const node = nodes.find(folder)) {
        return node->linkage == Linkage::linked ? node->parent : folder;
    }
    return ino_of(OBLEA_TRY(lower->parent(lower_of(folder))));
}

Status UnionFs::Impl::visit(Ino folder, Handle handle, std::uint64_t position,
                            Visitor const& visitor) {
    FolderView const seen = OBLEA_TRY(view(folder));
    for (std::uint64_t key = position; key <= kDotDotKey; ++key) {
        DirSlot slot{.name = key == kDotKey ? "." : "..",
                     .ino = key == kDotKey ? folder : OBLEA_TRY(parent_of(folder)),
                     .type = FileType::directory,
                     .next = key + 1};
        slot.st_ino = shown_number(slot.ino);
        if (!OBLEA_TRY(visitor({}, slot))) {
            return {};
        }
    }
    if (!seen.has_upper && seen.lower != InodeNo::none) {
        // The index is the listing.
        std::uint32_t const count = OBLEA_TRY(lower->entry_count(seen.lower));
        std::uint64_t const first = std::max(position, kLowerKeyFirst) - kLowerKeyFirst;
        for (std::uint64_t at = first; at < count; ++at) {
            LowerEntry const entry =
                OBLEA_TRY(lower->entry(seen.lower, static_cast<std::uint32_t>(at)));
            DirSlot slot{.name = entry.name,
                         .ino = ino_of(entry.ino),
                         .st_ino = lower->st_ino(entry.ino),
                         .type = entry.type,
                         .next = kLowerKeyFirst + at + 1};
            if (!OBLEA_TRY(visitor({.lower = entry.ino}, slot))) {
                return {};
            }
        }
        return {};
    }
    if (!seen.has_upper) {
        return {};
    }
    auto const listing = OBLEA_TRY(listing_for(folder, handle, position));
    SharedFd const fd = OBLEA_TRY(folder_fd(folder));
    auto entry = std::ranges::lower_bound(listing->entries, position, {}, &MergedListed::key);
    for (; entry != listing->entries.end(); ++entry) {
        DirSlot slot{.name = entry->name,
                     .ino = OBLEA_TRY(listed_ino(seen, fd, *entry)),
                     .type = entry->type,
                     .next = entry->key + 1};
        slot.st_ino = shown_number(slot.ino);
        if (!OBLEA_TRY(visitor(*entry, slot))) {
            return {};
        }
    }
    return {};
}

Result<Handle> UnionFs::opendir(Ino ino) {
    Impl& fs = *impl_;
    if (OBLEA_TRY(fs.type_of(ino)) != FileType::directory) {
        return fail(Errno::enotdir, "opendir");
    }
    if (fs.upper == nullptr) {
        return Handle{0};
    }
    fs.add_open(ino);
    base::LockGuard const lock{fs.handles.mutex};
    std::uint64_t const id = fs.handles.next++;
    fs.handles.open[id] = nullptr;
    return Handle{id};
}

void UnionFs::releasedir(Ino ino, Handle handle) {
    Impl& fs = *impl_;
    {
        base::LockGuard const lock{fs.handles.mutex};
        fs.handles.open.erase(static_cast<std::uint64_t>(handle));
    }
    fs.end_open(ino);
}

Status UnionFs::readdir(Ino ino, Handle handle, std::uint64_t position, DirSink const& sink) {
    return impl_->visit(
        ino, handle, position,
        [&](MergedListed const&, DirSlot& slot) -> Result<bool> { return sink(slot); });
}

Status UnionFs::readdir_plus(Ino ino, Handle handle, std::uint64_t position,
                             DirPlusSink const& sink) {
    Impl& fs = *impl_;
    return fs.visit(ino, handle, position, [&](MergedListed const&, DirSlot& slot) -> Result<bool> {
        if (slot.next <= kLowerKeyFirst) {  // "." and ".."
            return sink(slot, Entry{.attr = OBLEA_TRY(fs.attr_of(slot.ino))});
        }
        auto const name = Name::parse(slot.name);
        if (!name.has_value()) {
            return fail(Errno::euclean, "readdir");
        }
        auto const entry = OBLEA_TRY(lookup(ino, *name));
        if (!entry.has_value()) {
            return true;  // gone since the listing was made
        }
        slot.ino = entry->attr.ino;
        slot.st_ino = entry->attr.st_ino;
        slot.type = entry->attr.type;
        bool const taken = sink(slot, *entry);
        if (!taken) {
            forget(entry->attr.ino, 1);
        }
        return taken;
    });
}

Status UnionFs::fsyncdir(Ino ino) {
    Impl& fs = *impl_;
    FolderView const seen = OBLEA_TRY(fs.view(ino));
    if (!seen.has_upper || fs.options.durable == Durable::no) {
        return {};
    }
    if (ino == Ino::root) {
        OBLEA_TRY(fs.sync_changed());
    }
    SharedFd const fd = OBLEA_TRY(fs.folder_fd(ino));
    // syncfs(2) sends no request through FUSE: fsync of the root stands for it.
    return ino == Ino::root ? sys::syncfs(fd->get()) : sys::fsync(fd->get());
}

}  // namespace oblea::fs
