// SPDX-License-Identifier: MIT
// Attributes: shown from whichever layer has them, changed in the upper.
#include "fs/lower/folder_marks.h"
#include "fs/union_impl.h"

#include <sys/sysmacros.h>
#include <unistd.h>

#include <algorithm>

namespace oblea::fs {

namespace {

// Folders have one size in both layers, so that copy-up does not change it.
constexpr std::uint64_t kFolderBytes = 4096;

TimePoint time_of(struct timespec const& time) {
    return {time.tv_sec, static_cast<std::uint32_t>(time.tv_nsec)};
}

struct timespec timespec_of(std::optional<TimePoint> const& time) {
    struct timespec result = {};
    if (time.has_value()) {
        result.tv_sec = time->seconds;
        result.tv_nsec = time->nanoseconds;
    } else {
        result.tv_nsec = UTIME_OMIT;
    }
    return result;
}

bool in_own_groups(std::uint32_t gid) {
    if (gid == ::getegid()) {
        return true;
    }
    std::vector<gid_t> groups(65536);  // NGROUPS_MAX
    int const count = ::getgroups(static_cast<int>(groups.size()), groups.data());
    groups.resize(count < 0 ? 0 : static_cast<std::size_t>(count));
    return std::ranges::find(groups, gid) != groups.end();
}

}  // namespace

void UnionFs::Impl::show_owner(Attr& attr) const {
    if (options.owners.kind == Owners::Kind::squashed) {
        attr.uid = options.owners.uid;
        attr.gid = options.owners.gid;
    } else if (options.owners.kind == Owners::Kind::mapped) {
        attr.uid = options.owners.maps.users.shown(attr.uid);
        attr.gid = options.owners.maps.groups.shown(attr.gid);
    }
}

Result<UnionFs::Impl::StoredOwner>
UnionFs::Impl::stored_owner(std::optional<std::uint32_t> uid,
                            std::optional<std::uint32_t> gid) const {
    StoredOwner owner;
    switch (options.owners.kind) {
    case Owners::Kind::squashed:
        return owner;
    case Owners::Kind::real:
        return StoredOwner{uid, gid};
    case Owners::Kind::mapped:
        break;
    }
    OwnerMaps const& maps = options.owners.maps;
    if (uid.has_value()) {
        owner.uid = maps.users.stored(*uid);
    }
    if (gid.has_value()) {
        owner.gid = maps.groups.stored(*gid);
    }
    bool const lost =
        owner.uid.has_value() != uid.has_value() || owner.gid.has_value() != gid.has_value();
    if (lost && !maps.squashes()) {
        return fail(Errno::einval, "chown");
    }
    return owner;
}

// Other kinds cannot have users' attributes.
bool UnionFs::Impl::records(FileType type) const {
    return !options.override_xattr.empty() &&
           (type == FileType::regular || type == FileType::directory);
}

Status UnionFs::Impl::write_record(int dir, std::string const& name, RecordedOwner const& owner,
                                   std::uint32_t permissions) const {
    std::string const text =
        encode_override_stat({.uid = owner.uid, .gid = owner.gid, .permissions = permissions});
    return up().set_xattr(dir, name, options.override_xattr, text);
}

Result<InodeMark> UnionFs::Impl::mark_of(int dir, std::string const& name, FileType type) const {
    InodeMark mark = OBLEA_TRY(up().read_mark(dir, name));
    if (type == FileType::regular && mark.origin.has_value() && up().may_have_partial.load() &&
        OBLEA_TRY(up().get_xattr(dir, name, up().names.partial)).has_value()) {
        mark.contents = InodeMark::Contents::partial;
    }
    if (!records(type)) {
        return mark;
    }
    auto const text = OBLEA_TRY(up().get_xattr(dir, name, options.override_xattr));
    auto const record = text.has_value() ? parse_override_stat(*text) : std::nullopt;
    if (record.has_value()) {
        mark.owner = RecordedOwner{record->uid, record->gid};
        mark.permissions = record->permissions;
    }
    return mark;
}

Status UnionFs::Impl::give_owner(int dir, std::string const& name, StoredOwner const& owner) const {
    if (!owner.uid.has_value() && !owner.gid.has_value()) {
        return {};
    }
    auto given = sys::fchownat(dir, name.c_str(), owner.uid.value_or(~uid_t{0}),
                               owner.gid.value_or(~gid_t{0}));
    bool const forgiven =
        options.owners.kind == Owners::Kind::mapped && options.owners.maps.squashes();
    return forgiven ? Status{} : given;
}

std::uint64_t UnionFs::Impl::shown_number(Ino ino) const {
    return is_lower_number(ino) ? lower->st_ino(lower_of(ino)) : number(ino);
}

Result<Attr> UnionFs::Impl::lower_attr(InodeNo ino) const {
    LowerAttr const from = OBLEA_TRY(lower->attr(ino));
    Attr attr{.ino = ino_of(ino),
              .st_ino = lower->st_ino(ino),
              .type = from.type,
              .permissions = from.permissions,
              .nlink = from.nlink,
              .uid = from.uid,
              .gid = from.gid,
              .size = from.type == FileType::directory ? kFolderBytes : from.size,
              .blocks_512 = from.blocks_512,
              .atime = {from.atime.seconds, from.atime.nanoseconds},
              .mtime = {from.mtime.seconds, from.mtime.nanoseconds},
              .ctime = {from.ctime.seconds, from.ctime.nanoseconds},
              .device = from.device};
    show_owner(attr);
    return attr;
}

Attr UnionFs::Impl::upper_attr(Node const& node, struct stat const& info) const {
    Attr attr{.ino = node.ino,
              .st_ino = shown_number(node.ino),
              .type = node.type,
              .permissions = node.permissions.value_or(info.st_mode & 07777U),
              .nlink = static_cast<std::uint32_t>(info.st_nlink),
              .uid = info.st_uid,
              .gid = info.st_gid,
              .size = node.is_folder() ? kFolderBytes : static_cast<std::uint64_t>(info.st_size),
              .blocks_512 = static_cast<std::uint64_t>(info.st_blocks),
              .atime = time_of(info.st_atim),
              .mtime = time_of(info.st_mtim),
              .ctime = time_of(info.st_ctim),
              .device = {major(info.st_rdev), minor(info.st_rdev)}};
    if (node.owner.has_value()) {
        attr.uid = node.owner->uid;
        attr.gid = node.owner->gid;
    }
    show_owner(attr);
    return attr;
}

Result<std::uint32_t> UnionFs::Impl::folder_nlink(Ino folder) {
    auto node = nodes.find(folder);
    if (!node.has_value()) {
        return OBLEA_TRY(lower->attr(lower_of(folder))).nlink;
    }
    if (node->linkage == Linkage::unlinked) {
        return 0U;
    }
    if (node->subfolders < 0) {
        auto const lock = folder_locks.share(folder);
        Listing const listing = OBLEA_TRY(list_folder(folder));
        auto const count =
            std::ranges::count(listing.entries, FileType::directory, &MergedListed::type);
        static_cast<void>(nodes.update(folder, [&](Node& stored) {
            if (stored.subfolders < 0) {
                stored.subfolders = count;
            }
        }));
        node->subfolders = count;
    }
    return static_cast<std::uint32_t>(2 + node->subfolders);
}

Result<Attr> UnionFs::Impl::attr_of(Ino ino) {
    auto node = nodes.find(ino);
    if (!node.has_value() || !is_in_upper(node->state)) {
        if (!is_lower_number(ino) || number(ino) > lower->inode_count()) {
            return fail(Errno::estale, "getattr");
        }
        Attr attr = OBLEA_TRY(lower_attr(lower_of(ino)));
        if (node.has_value() && node->linkage == Linkage::unlinked) {
            attr.nlink = 0;
        } else if (node.has_value() && node->is_folder()) {
            attr.nlink = OBLEA_TRY(folder_nlink(ino));
        } else if (attr.nlink > 1 && attr.type != FileType::directory) {
            attr.nlink = OBLEA_TRY(lower_names_left(lower_of(ino)));
        }
        return attr;
    }
    Node current;
    struct stat const info = OBLEA_TRY(stat_node(ino, current));
    Attr attr = upper_attr(current, info);
    if (current.state == FileState::partial && current.lower != InodeNo::none) {
        // What it will take when it is whole, as far as can be told.
        std::uint64_t const below = OBLEA_TRY(lower->attr(current.lower)).blocks_512;
        attr.blocks_512 = std::max(attr.blocks_512, std::min(below, (attr.size + 511) / 512));
    }
    if (current.linkage == Linkage::unlinked) {
        attr.nlink = 0;
    } else if (current.is_folder()) {
        attr.nlink = OBLEA_TRY(folder_nlink(ino));
    } else if (current.place == Place::index) {
        attr.nlink = attr.nlink - 1 + OBLEA_TRY(lower_names_left(lower_of(ino)));
    } else if (current.place == Place::orphan) {
        attr.nlink -= 1;
    }
    return attr;
}

Result<Entry> UnionFs::Impl::grant_entry(Ino ino) {
    grant(ino);
    auto attr = attr_of(ino);
    if (!attr.has_value()) {
        if (is_lower_number(ino) && upper != nullptr) {
            counts.forget(number(ino), 1);
        } else {
            static_cast<void>(nodes.update(ino, [](Node& node) { --node.lookups; }));
        }
        return std::unexpected<Error>(std::move(attr).error());
    }
    return Entry{.attr = *attr};
}

Status UnionFs::Impl::check_owner_change(AttrChange const& change) const {
    Owners const& owners = options.owners;
    if (owners.kind == Owners::Kind::squashed) {
        if (change.uid.value_or(owners.uid) != owners.uid ||
            change.gid.value_or(owners.gid) != owners.gid) {
            return fail(Errno::eperm, "chown");
        }
        return {};
    }
    if (up().change_owner == UpperDir::Impl::ChangeOwner::yes ||
        (owners.kind == Owners::Kind::mapped && owners.maps.squashes()) ||
        !options.override_xattr.empty()) {
        return {};
    }
    StoredOwner const stored = OBLEA_TRY(stored_owner(change.uid, change.gid));
    if (stored.uid.value_or(up().uid) != up().uid ||
        (stored.gid.has_value() && !in_own_groups(*stored.gid))) {
        return fail(Errno::eperm, "chown");
    }
    return {};
}

Status UnionFs::Impl::set_permissions(Node const& node, Located const& at, std::uint32_t shown) {
    if (node.type == FileType::symlink) {
        return fail(Errno::eopnotsupp, "chmod");
    }
    if (records(node.type)) {
        struct stat const info = OBLEA_TRY(sys::fstatat(at.folder->get(), at.name.c_str()));
        RecordedOwner const owner = node.owner.value_or(RecordedOwner{info.st_uid, info.st_gid});
        OBLEA_TRY(write_record(at.folder->get(), at.name, owner, shown));
        static_cast<void>(nodes.update(node.ino, [&](Node& n) {
            n.permissions = shown;
            n.owner = owner;
        }));
        return {};
    }
    bool const bound = up().rights == UpperDir::Impl::Rights::bound;
    std::uint32_t const stored = bound ? stored_permissions(node.type, shown) : shown;
    auto const chmod = [&] {
        return at.name == "." ? sys::fchmod(at.folder->get(), stored)
                              : sys::fchmodat(at.folder->get(), at.name.c_str(), stored);
    };
    if (stored == shown && !node.permissions.has_value()) {
        return chmod();
    }
    // The mark first: a crash between the two leaves the old stored bits, which the new mark hides.
    InodeMark const before = OBLEA_TRY(up().read_mark(at.folder->get(), at.name));
    InodeMark mark = before;
    mark.permissions = shown;
    OBLEA_TRY(up().write_mark(at.folder->get(), at.name, mark));
    auto changed = chmod();
    if (!changed.has_value()) {
        static_cast<void>(up().write_mark(at.folder->get(), at.name, before));
        return changed;
    }
    if (stored == shown) {
        mark.permissions = std::nullopt;
        if (!up().write_mark(at.folder->get(), at.name, mark).has_value()) {
            mark.permissions = shown;  // says the same, and may stay
        }
    }
    static_cast<void>(nodes.update(node.ino, [&](Node& n) { n.permissions = mark.permissions; }));
    return {};
}

namespace {

// How a cut ended. The copy-up may have left the rest out already: then it is done all the same.
Status unless_done(Status cut, int file, std::uint64_t size) {
    if (!cut.has_value() &&
        static_cast<std::uint64_t>(OBLEA_TRY(sys::fstat(file)).st_size) == size) {
        return {};
    }
    return cut;
}

// Whether there is nothing to cut, since a copy-up has just left it out; one block may be that of
// extended attributes. ext4 would take the truncation for the begin of new contents in place of old
// ones, and write them all to the disk at close. Only where nobody can write meanwhile: pages of
// mappings come in beside a truncation, and are cut by it.
bool is_cut_already(struct stat const& file, AttrChange const& change) {
    return change.alone == AttrChange::Alone::yes && change.size == 0 && file.st_size == 0 &&
           file.st_blocks * 512 <= file.st_blksize;
}

Status set_times(Located const& at, AttrChange const& change) {
    if (!change.atime.has_value() && !change.mtime.has_value()) {
        return {};
    }
    struct timespec const times[2] = {timespec_of(change.atime), timespec_of(change.mtime)};
    return sys::utimensat(at.folder->get(), at.name.c_str(), times);
}

}  // namespace

Status UnionFs::Impl::apply_attrs(Node const& node, AttrChange const& change) {
    Located const at = OBLEA_TRY(locate(node));
    int const dir = at.folder->get();
    bool const chown = change.uid.has_value() || change.gid.has_value();
    bool const kill = !node.is_folder() && node.type != FileType::symlink &&
                      (chown || change.kill_privileges == KillPrivileges::yes);
    struct stat const before = OBLEA_TRY(sys::fstatat(dir, at.name.c_str()));
    if (!node.is_folder() && before.st_ino != node.upper_ino) {
        return fail(Errno::estale, "setattr");
    }
    std::uint32_t const shown = node.permissions.value_or(before.st_mode & 07777U);
    if (chown && records(node.type)) {
        RecordedOwner owner = node.owner.value_or(RecordedOwner{before.st_uid, before.st_gid});
        owner.uid = change.uid.value_or(owner.uid);
        owner.gid = change.gid.value_or(owner.gid);
        OBLEA_TRY(write_record(dir, at.name, owner, shown));
        static_cast<void>(nodes.update(node.ino, [&](Node& n) {
            n.owner = owner;
            n.permissions = shown;
        }));
    } else if (chown) {
        StoredOwner const owner = OBLEA_TRY(stored_owner(change.uid, change.gid));
        OBLEA_TRY(give_owner(dir, at.name, owner));
    }
    std::optional<std::uint32_t> permissions = change.permissions;
    if (!permissions.has_value() && kill && without_privileges(shown) != shown) {
        permissions = without_privileges(shown);
    }
    if (permissions.has_value()) {
        // As it is now: its owner may have been recorded a moment ago.
        OBLEA_TRY(set_permissions(nodes.find(node.ino).value_or(node), at, *permissions));
    }
    if (kill) {
        auto dropped = up().remove_xattr(dir, at.name, "security.capability");
        if (!dropped.has_value() && dropped.error().code != Errno::enodata &&
            dropped.error().code != Errno::eopnotsupp && dropped.error().code != Errno::eperm) {
            return dropped;
        }
    }
    if (!change.size.has_value() && !change.atime.has_value() && !change.mtime.has_value()) {
        // chown(-1, -1): nothing but a newer ctime.
        bool const nothing = !chown && !permissions.has_value();
        return nothing ? sys::fchownat(dir, at.name.c_str(), ~uid_t{0}, ~gid_t{0}) : Status{};
    }
    SharedPartial const part = OBLEA_TRY(partial_of(node.ino));
    if (part == nullptr) {
        if (is_cut_already(before, change)) {
            struct timespec const changed_now[2] = {{.tv_sec = 0, .tv_nsec = UTIME_OMIT},
                                                    {.tv_sec = 0, .tv_nsec = UTIME_NOW}};
            // What is cut stays cut without the newer time, as in unless_done().
            static_cast<void>(sys::utimensat(dir, at.name.c_str(), changed_now));
        } else if (change.size.has_value()) {
            SharedFd const fd = OBLEA_TRY(file_fd(node.ino));
            OBLEA_TRY(
                unless_done(sys::ftruncate(fd->get(), *change.size), fd->get(), *change.size));
        }
        return set_times(at, change);
    }
    base::LockGuard const lock{part->mutex};
    if (change.size.has_value()) {
        SharedFd const fd = OBLEA_TRY(file_fd(node.ino));
        OBLEA_TRY(unless_done(truncate(*part, fd->get(), *change.size), fd->get(), *change.size));
    }
    return set_times(at, change);
}

Status UnionFs::Impl::change_attrs(Ino ino, AttrChange const& change) {
    for (int attempt = 0;; ++attempt) {
        auto node = nodes.find(ino);
        if (!node.has_value()) {
            return fail(Errno::estale, "setattr");
        }
        auto const names = folder_locks.share(node->parent);
        node = nodes.find(ino);  // its place, which now stays
        base::LockGuard const lock{inode_locks.of(ino).mutex};
        auto applied =
            node.has_value() ? apply_attrs(*node, change) : Status{fail(Errno::estale, "setattr")};
        // Moved to another folder before the lock was taken: once more.
        if (applied.has_value() || applied.error().code != Errno::estale || attempt == 100) {
            return applied;
        }
    }
}

Status UnionFs::Impl::drop_privileges(Ino ino) {
    Node node;
    struct stat const info = OBLEA_TRY(stat_node(ino, node));
    std::uint32_t const shown = node.permissions.value_or(info.st_mode & 07777U);
    if (without_privileges(shown) == shown) {
        SharedFd const fd = OBLEA_TRY(file_fd(ino));
        auto const capability = sys::fgetxattr(fd->get(), "security.capability");
        if (!capability.has_value() || !capability->has_value()) {
            return {};
        }
    }
    return change_attrs(ino, {.kill_privileges = KillPrivileges::yes});
}

Result<Attr> UnionFs::getattr(Ino ino) {
    return impl_->attr_of(ino);
}

Result<Attr> UnionFs::setattr(Ino ino, AttrChange const& change, Caller const& /*caller*/) {
    Impl& fs = *impl_;
    OBLEA_TRY(fs.need_upper());
    OBLEA_TRY(fs.check_owner_change(change));
    FileType const type = OBLEA_TRY(fs.type_of(ino));
    if (change.size.has_value() && type != FileType::regular) {
        return fail(type == FileType::directory ? Errno::eisdir : Errno::einval, "truncate");
    }
    if (change.permissions.has_value() && type == FileType::symlink) {
        return fail(Errno::eopnotsupp, "chmod");
    }
    if (type == FileType::directory) {
        OBLEA_TRY(fs.ensure_upper_folder(ino));
    } else {
        ChangeAhead ahead;
        if (change.size.has_value()) {
            ahead = {.what = CopyUpNeed::Change::contents, .keep_bytes = *change.size};
        }
        OBLEA_TRY(fs.ensure_upper(ino, ahead));
    }
    OBLEA_TRY(fs.change_attrs(ino, change));
    if (change.size == 0) {
        fs.finish_if_empty(ino);
    }
    return fs.attr_of(ino);
}

}  // namespace oblea::fs
