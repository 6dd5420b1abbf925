// SPDX-License-Identifier: MIT
// Making partial files whole: on demand, and in the background from a thread of its own, slowly.
//
// Only what was written to is made whole by itself. A file of which only attributes were changed
// stays as it is: its contents are the image's, and copying them would cost space and bring
// nothing. What is unfinished when the mount ends is found by the next one (find_unfinished).
#include "fs/union_impl.h"

#include <algorithm>
#include <system_error>

namespace oblea::fs {

namespace {

using Clock = std::chrono::steady_clock;

// A file is left alone until nobody has changed it for so long; it is brought to the disk all the
// same when it never rests.
constexpr std::chrono::seconds kQuiet{2};
constexpr std::chrono::seconds kPatience{10};
// One step of a copy, and the rest after it: at most some 200 MB/s, and never two steps at once.
constexpr std::uint64_t kStepBytes = std::uint64_t{1} << 20U;
constexpr std::chrono::milliseconds kRest{5};
// Copies in the background leave so much of the file system free.
constexpr std::uint64_t kFreePercent = 10;

// A copy is no change: it may not take from the file what a program's write would.
Result<UnionFs::Impl::CopyBy> copy_without_change(int file) {
    using CopyBy = UnionFs::Impl::CopyBy;
    struct stat const info = OBLEA_TRY(sys::fstat(file));
    if ((info.st_mode & (S_ISUID | S_ISGID)) != 0) {
        return CopyBy::mapping;
    }
    bool const capable = OBLEA_TRY(sys::fgetxattr(file, "security.capability")).has_value();
    return capable ? CopyBy::mapping : CopyBy::writing;
}

}  // namespace

// --- what was changed ---

void UnionFs::Impl::note_change(Ino ino) {
    auto const now = Clock::now();
    {
        base::LockGuard const lock{unsettled.mutex};
        auto const at = unsettled.files.find(number(ino));
        if (at != unsettled.files.end()) {
            at->second.last = now;
            return;
        }
    }
    Pin kept = pin(ino);
    {
        base::LockGuard const lock{unsettled.mutex};
        auto const [at, fresh] = unsettled.files.try_emplace(number(ino));
        if (fresh) {
            at->second = {.pin = std::move(kept), .first = now, .last = now};
        }
    }
    unsettled.more.notify_one();
}

void UnionFs::Impl::drop_if_gone(Ino ino) {
    auto const node = nodes.find(ino);
    if (!node.has_value() || node->state != FileState::partial ||
        node->linkage != Linkage::unlinked || nodes.known(ino)) {
        return;
    }
    Pin last;  // goes after the lock
    base::LockGuard const lock{unsettled.mutex};
    auto const at = unsettled.files.find(number(ino));
    if (at != unsettled.files.end()) {
        last = std::move(at->second.pin);
        unsettled.files.erase(at);
    }
}

Status UnionFs::Impl::sync_changed() {
    std::vector<Ino> all;
    {
        base::LockGuard const lock{unsettled.mutex};
        for (auto const& [ino, one] : unsettled.files) {
            all.push_back(Ino{ino});
        }
    }
    for (Ino const ino : all) {
        SharedPartial const part = OBLEA_TRY(partial_of(ino));
        if (part != nullptr) {
            SharedFd const file = OBLEA_TRY(file_fd(ino));
            OBLEA_TRY(sync_partial(ino, *part, file->get()));
        }
    }
    return {};
}

// --- copying the rest ---

// What was written or appended to.
Result<bool> UnionFs::Impl::is_wanted_whole(PartialFile const& part, int file) const {
    auto const size = static_cast<std::uint64_t>(OBLEA_TRY(sys::fstat(file)).st_size);
    return options.blocks.complete == CopyUpBlocks::Complete::everything || part.map.owns_some() ||
           size > part.map.limit();
}

Status UnionFs::Impl::copy_by_steps(Ino ino, PartialFile& part, int file, Pace pace) {
    std::uint64_t const step =
        std::max<std::uint64_t>(kStepBytes / part.map.block_bytes(), 1) * part.map.block_bytes();
    for (std::uint64_t at = 0; at < part.map.limit(); at += step) {
        if (pace == Pace::in_background) {
            base::UniqueLock lock{unsettled.mutex};
            auto const is_over = [&] {
                unsettled.mutex.assert_held();
                return unsettled.stop;
            };
            if (unsettled.ended.wait_for(lock.for_wait(), kRest, is_over)) {
                return fail(Errno::ecanceled, "copy-up");
            }
        }
        base::LockGuard const attributes{inode_locks.of(ino).mutex};
        base::LockGuard const lock{part.mutex};
        BlockMap::Blocks const blocks = part.map.touched(at, at + step);
        if (part.map.owns(blocks)) {
            continue;
        }
        OBLEA_TRY(save_cut(part));
        CopyBy const how = OBLEA_TRY(copy_without_change(file));
        OBLEA_TRY(keeping_file_times(file, [&] {
            part.mutex.assert_held();
            return copy_missing(part, file, at, at + step, how);
        }));
        OBLEA_TRY(save_blocks(part, blocks));
    }
    return {};
}

Status UnionFs::Impl::complete(Ino ino, Pace pace) {
    SharedPartial const part = OBLEA_TRY(partial_of(ino));
    if (part == nullptr) {
        return {};
    }
    SharedFd const file = OBLEA_TRY(file_fd(ino));
    if (part->map.limit() > options.blocks.whole_up_to) {
        OBLEA_TRY(copy_by_steps(ino, *part, file->get(), pace));
        if (options.durable == Durable::yes) {
            // While nobody waits for it; what is left for make_whole() is little then.
            OBLEA_TRY(sys::fsync(file->get()));
        }
    }
    // Attributes stay as copy_without_change() finds them.
    base::LockGuard const attributes{inode_locks.of(ino).mutex};
    base::LockGuard const lock{part->mutex};
    CopyBy const how = OBLEA_TRY(copy_without_change(file->get()));
    return make_whole(ino, *part, file->get(), how);
}

Status UnionFs::complete(Ino ino) {
    OBLEA_TRY(impl_->need_upper());
    return impl_->complete(ino, Impl::Pace::at_once);
}

Status UnionFs::Impl::complete_folder(Ino folder) {
    FolderView const seen = OBLEA_TRY(view(folder));
    if (!seen.has_upper) {
        return {};
    }
    SharedFd const dir = OBLEA_TRY(folder_fd(folder));
    for (sys::DirEntry const& entry : OBLEA_TRY(sys::list_dir(dir->get()))) {
        auto const child = OBLEA_TRY(find_child(seen, entry.name));
        if (!child.has_value()) {
            continue;
        }
        OBLEA_TRY(child->type == FileType::directory ? complete_folder(child->ino)
                                                     : complete(child->ino, Pace::at_once));
    }
    return {};
}

Status UnionFs::Impl::complete_everything() {
    if (!up().may_have_partial.load()) {
        return {};
    }
    for (sys::DirEntry const& entry : OBLEA_TRY(sys::list_dir(up().index.get()))) {
        if (auto const ino = OBLEA_TRY(lower->find_origin(entry.name))) {
            OBLEA_TRY(complete(ino_of(*ino), Pace::at_once));
        }
    }
    return complete_folder(Ino::root);
}

// --- in the background ---

// By its node, or by the names that it had in the lower tree. One that was moved by an earlier
// mount, and not looked at in this one, is found when it is looked at.
Result<Pin> UnionFs::Impl::find_file(InodeNo from) {
    Ino const ino = ino_of(from);
    if (nodes.find(ino).has_value()) {
        return pin(ino);
    }
    for (LowerName const& name : OBLEA_TRY(lower->names(from))) {
        auto const folder = OBLEA_TRY(reach_folder(name.directory));
        if (!folder.has_value()) {
            continue;
        }
        auto child = std::move(OBLEA_TRY(peek(folder->ino, std::string{name.name})).child);
        if (child.has_value() && child->ino == ino) {
            return std::move(child->pin);
        }
    }
    return Pin{};
}

Status UnionFs::Impl::find_unfinished() {
    if (!up().may_have_partial.load()) {
        return {};
    }
    for (std::string const& key : OBLEA_TRY(up().map_keys())) {
        auto const from = OBLEA_TRY(lower->find_origin(key));
        if (!from.has_value()) {
            continue;
        }
        Pin const kept = OBLEA_TRY(find_file(*from));
        auto const node = nodes.find(ino_of(*from));
        if (!node.has_value()) {
            continue;
        }
        if (OBLEA_TRY(partial_of(ino_of(*from))) != nullptr) {
            note_change(ino_of(*from));
        } else if (node->state == FileState::upper) {
            OBLEA_TRY(up().remove_maps(key));  // it became whole just before a crash
        }
    }
    return {};
}

// Brings one file to the disk, and makes it whole where that is wanted and there is room.
Status UnionFs::Impl::settle(Ino ino) {
    SharedPartial const part = OBLEA_TRY(partial_of(ino));
    if (part == nullptr) {
        return {};
    }
    SharedFd const file = OBLEA_TRY(file_fd(ino));
    if (options.durable == Durable::yes) {
        OBLEA_TRY(sync_partial(ino, *part, file->get()));
    }
    bool const wanted = OBLEA_TRY(is_wanted_whole(*part, file->get()));
    struct statfs const room = OBLEA_TRY(sys::fstatfs(root_fd->get()));
    std::uint64_t const available =
        static_cast<std::uint64_t>(room.f_bavail) * static_cast<std::uint64_t>(room.f_bsize);
    std::uint64_t const kept =
        room.f_blocks / 100 * kFreePercent * static_cast<std::uint64_t>(room.f_bsize);
    if (wanted && available >= kept && available - kept >= part->map.limit()) {
        return complete(ino, Pace::in_background);
    }
    return {};
}

void UnionFs::Impl::work_in_background() {
    // What cannot be found or settled now stays partial, which every reader understands, and is
    // tried again after its next change or mount; who must know whether bytes are on the disk calls
    // fsync, and is told.
    static_cast<void>(find_unfinished());
    base::UniqueLock lock{unsettled.mutex};
    while (!unsettled.stop) {
        auto const due = [](Unsettled::One const& one) {
            return std::min(one.last + kQuiet, one.first + kPatience);
        };
        auto const next = std::ranges::min_element(
            unsettled.files, {}, [&](auto const& file) { return due(file.second); });
        if (next == unsettled.files.end()) {
            unsettled.more.wait(lock.for_wait());
            continue;
        }
        auto const when = due(next->second);
        if (Clock::now() < when) {
            unsettled.more.wait_until(lock.for_wait(), when);
            continue;
        }
        Ino const ino{next->first};
        // It is pinned until it is done; changes from now on note it anew.
        Pin kept = std::move(next->second.pin);
        unsettled.files.erase(next);
        lock.unlock();
        auto const settled = settle(ino);
        if (!settled.has_value() && settled.error().code == Errno::ecanceled) {
            note_change(ino);  // for the sync at the end
        }
        kept = Pin{};
        lock.lock();
    }
}

void UnionFs::Impl::start_background() {
    if (!warming.joinable()) {
        warming =
            std::jthread{[&tree = *lower](std::stop_token const& ended) { tree.warm_up(ended); }};
    }
    if (upper == nullptr || background.joinable()) {
        return;
    }
    {
        base::LockGuard const lock{unsettled.mutex};
        unsettled.stop = false;
    }
    background = std::thread{[this] {
        try {
            work_in_background();
        } catch (std::exception const&) {
            // Out of memory: files stay partial until the next mount.
        }
    }};
}

Status UnionFs::start_background() {
    try {
        impl_->start_background();
    } catch (std::system_error const& failed) {
        return fail(Errno::eagain, "thread", failed.what());
    }
    return {};
}

void UnionFs::Impl::stop_background() {
    warming = {};
    if (background.joinable()) {
        {
            base::LockGuard const lock{unsettled.mutex};
            unsettled.stop = true;
        }
        unsettled.more.notify_all();
        unsettled.ended.notify_all();
        background.join();
    }
    std::unordered_map<std::uint64_t, Unsettled::One> let_go;
    base::LockGuard const lock{unsettled.mutex};
    let_go.swap(unsettled.files);
}

void UnionFs::stop_background() {
    Impl& fs = *impl_;
    if (fs.upper != nullptr && fs.options.durable == Durable::yes) {
        // A map counts in later runs of the machine only when it was synced. Who had to know that
        // it was has called fsync.
        static_cast<void>(fs.sync_changed());
    }
    fs.stop_background();
}

}  // namespace oblea::fs
