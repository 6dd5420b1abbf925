// SPDX-License-Identifier: MIT
// Partial files: the upper has their attributes and size and, of their contents, the blocks that
// were written. README.md "Partial files" has the form on disk and what a crash leaves of it.
//
// The order of each change: bytes first, then the map on disk, then the map in memory, by which
// readers go. So a block is believed to be the file's own only when all of it is there, and what
// fails or is killed between two steps leaves the block as the lower file has it.
#include "fs/union_impl.h"

#include "store/base/boot_id.h"
#include "store/base/short_io.h"

#include <linux/falloc.h>

#include <algorithm>

namespace oblea::fs {

namespace {

using Owner = BlockMap::Owner;

std::string const& this_boot() {
    static std::string const id = base::boot_id();
    return id;
}

}  // namespace

// --- what is known of one ---

Result<SharedPartial> UnionFs::Impl::partial_of(Ino ino) {
    auto const node = nodes.find(ino);
    if (!node.has_value() || node->state != FileState::partial) {
        return SharedPartial{};
    }
    return partials.find_or_load(ino, [&] { return load_partial(*node); });
}

Result<SharedPartial> UnionFs::Impl::load_partial(Node const& node) {
    SharedFd const file = OBLEA_TRY(file_fd(node.ino));
    // Whoever put the node into the table may have looked before the file became whole.
    if (!OBLEA_TRY(sys::fgetxattr(file->get(), up().names.partial.c_str())).has_value()) {
        static_cast<void>(nodes.update(node.ino, [](Node& n) {
            n.state = FileState::upper;
            n.lower = InodeNo::none;
        }));
        return SharedPartial{};
    }
    if (node.lower == InodeNo::none) {
        return fail(Errno::eio, "",
                    "a file of the writable layer has the rest of its contents in an image that "
                    "is not this one");
    }
    auto key = lower->origin_key(node.lower);
    if (!key.has_value() && key.error().code == Errno::estale) {
        // In a stack of folders a file is known by its number alone until its name is met.
        OBLEA_TRY(lower->find_all_names());
        key = lower->origin_key(node.lower);
    }
    std::string map_name = OBLEA_TRY(std::move(key));
    std::uint64_t const size = OBLEA_TRY(lower->attr(node.lower)).size;
    auto part = std::make_shared<PartialFile>(std::move(map_name), node.lower, size,
                                              options.blocks.block_bytes);
    int const maps = OBLEA_TRY(up().maps());
    if (OBLEA_TRY(load_map(maps, part->name, this_boot(), part->map)) == MapFound::live) {
        part->found_live();
    }
    part->saved_limit = part->map.limit();
    part->map.cut(static_cast<std::uint64_t>(OBLEA_TRY(sys::fstat(file->get())).st_size));
    return part;
}

// --- changes ---

Status UnionFs::Impl::copy_missing(PartialFile& part, int file, std::uint64_t from,
                                   std::uint64_t to, CopyBy how) {
    while (from < to) {
        BlockMap::Stretch const stretch = part.map.stretch_at(from, to);
        if (stretch.owner == Owner::lower) {
            OBLEA_TRY(copy_data(part.source, file, from, stretch.end, how));
        }
        from = stretch.end;
    }
    return {};
}

Status UnionFs::Impl::save_cut(PartialFile& part) {
    std::uint64_t const limit = part.map.limit();
    if (part.saved_limit <= limit) {
        return {};
    }
    int const maps = OBLEA_TRY(up().maps());
    if (part.live == PartialFile::OnDisk::no) {
        OBLEA_TRY(sys::replace_file(maps, part.name.c_str(), part.map.encode_live(this_boot()),
                                    0600, sys::Sync::no));
        part.live = PartialFile::OnDisk::yes;
    } else {
        UniqueFd const form = OBLEA_TRY(sys::openat(maps, part.name.c_str(), O_WRONLY));
        std::array<std::byte, sizeof(limit)> bytes{};
        base::store_le(bytes.data(), limit);
        OBLEA_TRY(sys::pwrite_all(form.get(), bytes, BlockMap::kLimitAt));
    }
    part.saved_limit = limit;
    return {};
}

Status UnionFs::Impl::save_blocks(PartialFile& part, BlockMap::Blocks added) {
    int const maps = OBLEA_TRY(up().maps());
    if (part.live == PartialFile::OnDisk::no) {
        OBLEA_TRY(sys::replace_file(maps, part.name.c_str(), part.map.encode_live(this_boot()),
                                    0600, sys::Sync::no));
        part.live = PartialFile::OnDisk::yes;
    }
    BlockMap::Patch const patch = part.map.patch_for(added);
    UniqueFd const form = OBLEA_TRY(sys::openat(maps, part.name.c_str(), O_WRONLY));
    OBLEA_TRY(sys::pwrite_all(form.get(), patch.bytes, patch.at));
    part.map.own(added);
    ++part.changes;
    return {};
}

Status UnionFs::Impl::make_whole(Ino ino, PartialFile& part, int file, CopyBy how) {
    std::uint64_t const limit = part.map.limit();
    if (limit > 0) {
        OBLEA_TRY(keeping_file_times(file, [&] {
            part.mutex.assert_held();
            return copy_missing(part, file, 0, limit, how);
        }));
        if (options.durable == Durable::yes) {
            // So that no crash leaves the file without the mark and without what the image has.
            OBLEA_TRY(sys::fsync(file));
        }
    }
    auto unmarked = sys::fremovexattr(file, up().names.partial.c_str());
    if (!unmarked.has_value() && unmarked.error().code != Errno::enodata) {
        return unmarked;
    }
    part.map.own(part.map.touched(0, limit));
    static_cast<void>(nodes.update(ino, [](Node& node) {
        if (node.state == FileState::partial) {
            node.state = FileState::upper;
            node.lower = InodeNo::none;
        }
    }));
    partials.erase(ino);
    // The maps last, and after the mark for good: with it and without them the file would be the
    // image's. One that stays does no harm.
    bool const is_certain =
        options.durable == Durable::no || part.changes == 0 || sys::fsync(file).has_value();
    if (is_certain) {
        static_cast<void>(up().remove_maps(part.name));
    }
    return {};
}

Status UnionFs::Impl::change_contents(Ino ino, PartialFile& part, int file, std::uint64_t from,
                                      std::uint64_t to, std::function<Status()> const& change) {
    base::LockGuard const lock{part.mutex};
    // Before anything lengthens the file (PartialFile::saved_limit).
    OBLEA_TRY(save_cut(part));
    BlockMap const& map = part.map;
    BlockMap::Blocks const touched = map.touched(from, to);
    if (map.owns(touched)) {
        return change();
    }
    if (map.limit() <= options.blocks.whole_up_to || this_boot().empty()) {
        OBLEA_TRY(make_whole(ino, part, file));
        return change();
    }
    if (to > map.limit() || map.owns_some(touched)) {
        // A part of the change would show before the rest, so its blocks become the file's first.
        std::uint64_t const begin = touched.first * map.block_bytes();
        OBLEA_TRY(copy_missing(part, file, begin, touched.end * map.block_bytes()));
        OBLEA_TRY(save_blocks(part, touched));
        note_change(ino);
        return change();
    }
    // Around the change, which shows when the map says so.
    OBLEA_TRY(copy_missing(part, file, touched.first * map.block_bytes(), from));
    OBLEA_TRY(copy_missing(part, file, to, touched.end * map.block_bytes()));
    OBLEA_TRY(change());
    OBLEA_TRY(save_blocks(part, touched));
    note_change(ino);
    return {};
}

Result<std::size_t> UnionFs::Impl::write_contents(Ino ino, base::ByteView data,
                                                  std::uint64_t offset) {
    SharedFd const file = OBLEA_TRY(file_fd(ino));
    SharedPartial const part = OBLEA_TRY(partial_of(ino));
    if (part == nullptr) {
        return sys::pwrite_most(file->get(), data, offset);
    }
    std::uint64_t const end = offset + data.size();
    {
        base::SharedLock const lock{part->mutex};
        if (part->saved_limit <= part->map.limit() &&
            part->map.owns(part->map.touched(offset, end))) {
            std::size_t const count = OBLEA_TRY(sys::pwrite_most(file->get(), data, offset));
            note_change(ino);
            return count;
        }
    }
    OBLEA_TRY(change_contents(ino, *part, file->get(), offset, end,
                              [&] { return sys::pwrite_all(file->get(), data, offset); }));
    return data.size();
}

Status UnionFs::Impl::truncate(PartialFile& part, int file, std::uint64_t size) {
    OBLEA_TRY(save_cut(part));
    OBLEA_TRY(sys::ftruncate(file, size));
    if (size < part.map.limit()) {
        part.map.cut(size);
        ++part.changes;
    }
    return {};
}

void UnionFs::Impl::finish_if_empty(Ino ino) {
    auto const part = partial_of(ino);
    if (!part.has_value() || *part == nullptr || (*part)->map.limit() != 0) {
        return;
    }
    // What fails is as right as a partial file, and is tried again in the background.
    static_cast<void>(complete(ino, Pace::at_once));
}

Status UnionFs::fallocate(Ino ino, int mode, std::uint64_t offset, std::uint64_t length) {
    Impl& fs = *impl_;
    OBLEA_TRY(fs.need_upper());
    OBLEA_TRY(fs.ensure_upper(ino, kContents));
    SharedFd const file = OBLEA_TRY(fs.file_fd(ino));
    auto const change = [&] { return sys::fallocate(file->get(), mode, offset, length); };
    SharedPartial const part = OBLEA_TRY(fs.partial_of(ino));
    if (part == nullptr) {
        return change();
    }
    bool const erases = (mode & (FALLOC_FL_PUNCH_HOLE | FALLOC_FL_ZERO_RANGE)) != 0;
    if ((mode & ~(FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE | FALLOC_FL_ZERO_RANGE)) != 0) {
        OBLEA_TRY(fs.complete(ino, Impl::Pace::at_once));
        return change();
    }
    // Room alone changes no bytes.
    return fs.change_contents(ino, *part, file->get(), offset, erases ? offset + length : offset,
                              change);
}

// --- reading ---

Result<ReadResult> UnionFs::Impl::read_partial(PartialFile const& part, int file,
                                               base::MutableBytes buffer, std::uint64_t offset) {
    std::uint64_t const end = offset + buffer.size();
    std::size_t done = 0;
    while (done < buffer.size()) {
        std::uint64_t const at = offset + done;
        BlockMap::Stretch const stretch = part.map.stretch_at(at, end);
        auto const piece = buffer.subspan(done, static_cast<std::size_t>(stretch.end - at));
        if (stretch.owner == Owner::lower && done == 0 && stretch.end == end) {
            base::ByteView const mapped = OBLEA_TRY(lower->mapped(part.source, at, piece.size()));
            if (!mapped.empty()) {
                return ReadResult{.mapped = mapped};
            }
        }
        std::size_t const count = stretch.owner == Owner::lower
                                      ? OBLEA_TRY(lower->read(part.source, piece, at))
                                      : OBLEA_TRY(sys::pread_full(file, piece, at));
        done += count;
        if (count < piece.size()) {
            if (stretch.owner == Owner::upper) {
                break;  // the end of the file
            }
            if (count == 0) {
                return fail(Errno::eio, "read", "a file of the image is shorter than it says");
            }
        }
    }
    return ReadResult{.in_buffer = done};
}

Result<std::uint64_t> UnionFs::Impl::seek_partial(PartialFile const& part, int file,
                                                  std::uint64_t offset, LowerTree::Seek what) {
    auto const size = static_cast<std::uint64_t>(OBLEA_TRY(sys::fstat(file)).st_size);
    int const whence = what == LowerTree::Seek::data ? SEEK_DATA : SEEK_HOLE;
    for (std::uint64_t at = offset; at < size;) {
        BlockMap::Stretch const stretch = part.map.stretch_at(at, size);
        auto const found = stretch.owner == Owner::lower ? lower->seek(part.source, at, what)
                                                         : sys::lseek(file, at, whence);
        if (found.has_value() && *found < stretch.end) {
            return *found;
        }
        if (!found.has_value() && found.error().code != Errno::enxio) {
            return found;
        }
        at = stretch.end;
    }
    if (what == LowerTree::Seek::hole && offset < size) {
        return size;
    }
    return fail(Errno::enxio, "lseek");
}

// --- what must last ---

Status UnionFs::Impl::sync_partial(Ino ino, PartialFile& part, int file) {
    base::LockGuard const one_at_a_time{part.syncing};
    std::uint64_t changes = 0;
    std::string form;
    {
        base::SharedLock const lock{part.mutex};
        changes = part.changes;
        form = part.map.encode_synced();
    }
    // The bytes before the map that says that they are there.
    OBLEA_TRY(sys::fsync(file));
    auto const node = nodes.find(ino);
    if (changes == part.synced_changes || !node.has_value() || node->state != FileState::partial) {
        return {};
    }
    int const maps = OBLEA_TRY(up().maps());
    std::string const name = part.name + std::string{kSyncedMapSuffix};
    OBLEA_TRY(sys::replace_file(maps, name.c_str(), form, 0600, sys::Sync::yes));
    part.synced_changes = changes;
    return {};
}

}  // namespace oblea::fs
