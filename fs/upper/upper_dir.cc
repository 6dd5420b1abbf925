// SPDX-License-Identifier: MIT
#include "fs/upper/upper_dir.h"

#include "fs/plan/acl.h"
#include "fs/upper/upper_impl.h"
#include "fs/upper/upper_lock.h"
#include "fs/upper/work_texts.h"

#include <dirent.h>
#include <linux/capability.h>
#include <linux/fs.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <algorithm>

namespace oblea::fs {

namespace sys = base::sys;

namespace {

constexpr char const* kMaps = "maps";
constexpr std::string_view kReplacing = ".new.";  // in the names that sys::replace_file takes

// The effective capabilities of this process.
std::uint64_t effective_capabilities() {
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
    struct __user_cap_data_struct data[2] = {};
    if (::syscall(SYS_capget, &header, data) != 0) {
        return 0;
    }
    return data[0].effective | (std::uint64_t{data[1].effective} << 32U);
}

bool has_capability(std::uint64_t set, unsigned capability) {
    return ((set >> capability) & 1U) != 0;
}

Result<UniqueFd> open_folder(std::string const& path) {
    auto made = sys::mkdir_all(path, 0755);
    if (!made.has_value()) {
        return std::unexpected<Error>(std::move(made).error());
    }
    return sys::open(path, O_RDONLY | O_DIRECTORY);
}

Result<UniqueFd> open_subfolder(int work, char const* name) {
    OBLEA_TRY(sys::mkdirat_if_missing(work, name, 0700));
    return sys::openat(work, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
}

Status check_format(int work) {
    auto const text = sys::read_file(work, "format", 4096);
    if (!text.has_value() && text.error().code != Errno::enoent) {
        return std::unexpected<Error>(text.error());
    }
    if (text.has_value() && !is_lost(*text)) {
        OBLEA_TRY(parse_format(*text));
        return {};
    }
    // Not synced, which would be a wait at each mount: what is lost is written again.
    bool const has_maps = OBLEA_TRY(sys::stat_if_exists(work, kMaps)).has_value();
    auto const format = has_maps ? WorkFormat::with_maps : WorkFormat::plain;
    return sys::replace_file(work, "format", encode_format(format), 0644, sys::Sync::no);
}

}  // namespace

UpperDir::UpperDir(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
UpperDir::~UpperDir() = default;

int UpperDir::lock() const {
    return impl_->lock.get();
}

Result<std::unique_ptr<UpperDir>> UpperDir::open(std::string const& upper,
                                                 std::string const& work) {
    auto opened = OBLEA_TRY(adopt_locked(upper, work, {}));
    // What a crash left.
    OBLEA_TRY(with_context(opened->impl().clean_tmp(), [&] { return work; }));
    OBLEA_TRY(with_context(opened->impl().clean_orphans(), [&] { return work; }));
    return opened;
}

Result<std::unique_ptr<UpperDir>> UpperDir::adopt_locked(std::string const& upper,
                                                         std::string const& work, UniqueFd lock) {
    auto impl = std::make_unique<Impl>();
    impl->lock = std::move(lock);
    impl->root = OBLEA_TRY(open_folder(upper));
    UniqueFd work_folder = OBLEA_TRY(open_folder(work));
    if (OBLEA_TRY(sys::fstat(impl->root.get())).st_dev !=
        OBLEA_TRY(sys::fstat(work_folder.get())).st_dev) {
        return fail(Errno::exdev, "",
                    "the upper folder " + upper + " and the work folder " + work +
                        " are on different file systems: name a work folder beside the upper one");
    }
    OBLEA_TRY(with_context(impl->open_work(work_folder.get()), [&] { return work; }));
    impl->work = std::move(work_folder);
    OBLEA_TRY(with_context(impl->look_for_maps(), [&] { return work; }));
    OBLEA_TRY(with_context(impl->probe(), [&] { return upper; }));
    return std::unique_ptr<UpperDir>{new UpperDir(std::move(impl))};
}

Result<bool> UpperDir::empty() const {
    if (!OBLEA_TRY(sys::list_dir(impl_->root.get())).empty()) {
        return false;
    }
    // A changed root folder has a mark.
    return OBLEA_TRY(impl_->read_mark(impl_->root.get(), ".")).empty();
}

Result<UpperDir::State> UpperDir::state() const {
    auto const text = OBLEA_TRY(impl_->get_xattr(impl_->root.get(), ".", impl_->names.format));
    return text.has_value() ? parse_state(*text) : State::unmarked;
}

Status UpperDir::set_state(State state) {
    return impl_->set_xattr(impl_->root.get(), ".", impl_->names.format, encode_state(state));
}

Status UpperDir::remove_work() {
    for (sys::DirEntry const& entry : OBLEA_TRY(sys::list_dir(impl_->work.get()))) {
        OBLEA_TRY(sys::remove_tree(impl_->work.get(), entry.name.c_str()));
    }
    return {};
}

Status UpperDir::Impl::open_work(int work_folder) {
    if (!lock.valid()) {
        lock = OBLEA_TRY(take_upper_lock(work_folder));
    }
    OBLEA_TRY(check_format(work_folder));
    tmp = OBLEA_TRY(open_subfolder(work_folder, "tmp"));
    // What is made there gets its lists from us.
    OBLEA_TRY(drop_acls(tmp.get()));
    orphans = OBLEA_TRY(open_subfolder(work_folder, "orphans"));
    index = OBLEA_TRY(open_subfolder(work_folder, "index"));
    links = OBLEA_TRY(open_subfolder(work_folder, "links"));
    return {};
}

namespace {

// The folder with that number in or below `folder`.
Result<std::optional<UniqueFd>> find_folder(int folder, std::uint64_t ino) {
    if (OBLEA_TRY(sys::fstat(folder)).st_ino == ino) {
        return std::optional{OBLEA_TRY(sys::duplicate(folder))};
    }
    for (sys::DirEntry const& entry : OBLEA_TRY(sys::list_dir(folder))) {
        if (entry.type != DT_DIR && entry.type != DT_UNKNOWN) {
            continue;
        }
        auto below = sys::openat(folder, entry.name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
        if (!below.has_value()) {
            if (entry.type == DT_UNKNOWN && below.error().code == Errno::enotdir) {
                continue;
            }
            return std::unexpected<Error>(std::move(below).error());
        }
        auto found = OBLEA_TRY(find_folder(below->get(), ino));
        if (found.has_value()) {
            return found;
        }
    }
    return std::optional<UniqueFd>{};
}

}  // namespace

// A crash may have come after the target of a move went to tmp/ and before the source took its
// place: then a whiteout stands there.
Status UpperDir::Impl::put_back(std::string const& note) {
    std::string const temp = note.substr(0, note.size() - kNote.size());
    std::string const text = OBLEA_TRY(sys::readlinkat(tmp.get(), note.c_str()));
    auto const belongs = OBLEA_TRY(with_context(parse_note(text), [&] { return note; }));
    std::string const& name = belongs.name;
    auto const waiting = OBLEA_TRY(sys::stat_if_exists(tmp.get(), temp.c_str()));
    if (waiting.has_value() && OBLEA_TRY(is_whiteout(tmp.get(), temp, *waiting))) {
        return {};  // not begun, or a whiteout was there before
    }
    auto const folder = OBLEA_TRY(find_folder(root.get(), belongs.folder));
    if (!folder.has_value()) {
        return {};
    }
    auto const there = OBLEA_TRY(sys::stat_if_exists(folder->get(), name.c_str()));
    if (!there.has_value() || !OBLEA_TRY(is_whiteout(folder->get(), name, *there))) {
        return {};
    }
    if (!waiting.has_value()) {
        return sys::unlinkat(folder->get(), name.c_str());  // nothing stood there
    }
    return sys::renameat2(tmp.get(), temp.c_str(), folder->get(), name.c_str(), RENAME_EXCHANGE);
}

Status UpperDir::Impl::clean_tmp() {
    for (sys::DirEntry const& entry : OBLEA_TRY(sys::list_dir(tmp.get()))) {
        if (entry.name.ends_with(kNote)) {
            OBLEA_TRY(put_back(entry.name));
        }
    }
    return clean(tmp.get());
}

Status UpperDir::Impl::clean_orphans() {
    for (sys::DirEntry const& entry : OBLEA_TRY(sys::list_dir(orphans.get()))) {
        OBLEA_TRY(remove_orphan(entry.name));
    }
    return {};
}

Status UpperDir::Impl::remove_orphan(std::string const& name) {
    if (may_have_partial.load()) {
        auto const info = OBLEA_TRY(sys::stat_if_exists(orphans.get(), name.c_str()));
        if (info.has_value() && S_ISREG(info->st_mode) && info->st_nlink == 1) {
            InodeMark const mark = OBLEA_TRY(read_mark(orphans.get(), name));
            if (mark.origin.has_value()) {
                OBLEA_TRY(remove_maps(*mark.origin));
            }
        }
    }
    return sys::remove_tree(orphans.get(), name.c_str());
}

// --- maps ---

Status UpperDir::Impl::look_for_maps() {
    base::LockGuard const one_at_a_time{maps_mutex};
    auto folder = sys::openat(work.get(), kMaps, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
    if (!folder.has_value()) {
        return folder.error().code == Errno::enoent
                   ? Status{}
                   : Status{std::unexpected<Error>(std::move(folder).error())};
    }
    maps_folder = *std::move(folder);
    may_have_partial = true;
    for (sys::DirEntry const& entry : OBLEA_TRY(sys::list_dir(maps_folder.get()))) {
        if (entry.name.find(kReplacing) != std::string::npos) {
            OBLEA_TRY(sys::unlinkat(maps_folder.get(), entry.name.c_str()));
        }
    }
    return {};
}

Result<int> UpperDir::Impl::maps() {
    base::LockGuard const one_at_a_time{maps_mutex};
    if (!maps_folder.valid()) {
        // Programs that know nothing of partial files must not open this layer any more.
        OBLEA_TRY(sys::replace_file(work.get(), "format", encode_format(WorkFormat::with_maps),
                                    0644, sys::Sync::no));
        maps_folder = OBLEA_TRY(open_subfolder(work.get(), kMaps));
        may_have_partial = true;
    }
    return maps_folder.get();
}

Result<std::vector<std::string>> UpperDir::Impl::map_keys() {
    int const folder = OBLEA_TRY(maps());
    std::vector<std::string> keys;
    for (sys::DirEntry& entry : OBLEA_TRY(sys::list_dir(folder))) {
        if (entry.name.ends_with(kSyncedMapSuffix)) {
            entry.name.resize(entry.name.size() - kSyncedMapSuffix.size());
        }
        keys.push_back(std::move(entry.name));
    }
    std::ranges::sort(keys);
    auto const doubles = std::ranges::unique(keys);
    keys.erase(doubles.begin(), doubles.end());
    return keys;
}

Status UpperDir::Impl::remove_maps(std::string const& key) {
    int const folder = OBLEA_TRY(maps());
    OBLEA_TRY(sys::unlink_if_exists(folder, key.c_str()));
    return sys::unlink_if_exists(folder, (key + std::string{kSyncedMapSuffix}).c_str());
}

Status UpperDir::Impl::clean(int folder) {
    for (sys::DirEntry const& entry : OBLEA_TRY(sys::list_dir(folder))) {
        OBLEA_TRY(sys::remove_tree(folder, entry.name.c_str()));
    }
    return {};
}

Status UpperDir::Impl::probe() {
    std::uint64_t const capabilities = effective_capabilities();
    rights =
        has_capability(capabilities, CAP_DAC_OVERRIDE) && has_capability(capabilities, CAP_FOWNER)
            ? Rights::free
            : Rights::bound;
    change_owner = has_capability(capabilities, CAP_CHOWN) ? ChangeOwner::yes : ChangeOwner::no;
    std::string const file = temp_name();
    std::string const other = temp_name();
    auto const remove_both = [&]() -> Status {
        OBLEA_TRY(sys::unlink_if_exists(tmp.get(), file.c_str()));
        return sys::unlink_if_exists(tmp.get(), other.c_str());
    };
    OBLEA_TRY(remove_both());  // of a process that was killed here
    ScopeExit const tidy{[&] { static_cast<void>(remove_both()); }};
    UniqueFd const made =
        OBLEA_TRY(sys::openat(tmp.get(), file.c_str(), O_RDWR | O_CREAT | O_EXCL, 0777));
    struct stat const info = OBLEA_TRY(sys::fstat(made.get()));
    umask = 0777U & ~info.st_mode;
    uid = info.st_uid;
    gid = ::getegid();
    space = sys::fsetxattr(made.get(), "trusted.overlay.oblea.probe", "1").has_value()
                ? MarkSpace::trusted
                : MarkSpace::user;
    names = MarkNames{space};
    if (space == MarkSpace::user &&
        !sys::fsetxattr(made.get(), "user.overlay.oblea.probe", "1").has_value()) {
        return fail(
            Errno::eopnotsupp, "",
            "the file system keeps no extended attributes for users: put the writable layer on a "
            "local file system (ext4, xfs, btrfs, tmpfs of Linux 6.6)");
    }
    whiteout_style = sys::mknodat(tmp.get(), other.c_str(), S_IFCHR, makedev(0, 0)).has_value()
                         ? WhiteoutStyle::device
                         : WhiteoutStyle::xattr;
    OBLEA_TRY(sys::unlink_if_exists(tmp.get(), other.c_str()));
    rename_whiteout =
        whiteout_style == WhiteoutStyle::device &&
                sys::renameat2(tmp.get(), file.c_str(), tmp.get(), other.c_str(), RENAME_WHITEOUT)
                    .has_value()
            ? RenameWhiteout::yes
            : RenameWhiteout::no;
    if (rename_whiteout == RenameWhiteout::yes) {
        return {};
    }
    UniqueFd const second =
        OBLEA_TRY(sys::openat(tmp.get(), other.c_str(), O_RDWR | O_CREAT, 0600));
    if (!sys::renameat2(tmp.get(), file.c_str(), tmp.get(), other.c_str(), RENAME_EXCHANGE)
             .has_value()) {
        return fail(Errno::eopnotsupp, "",
                    "the file system cannot exchange names: put the writable layer on a local file "
                    "system (ext4, xfs, btrfs, tmpfs)");
    }
    return {};
}

std::string UpperDir::Impl::temp_name() {
    return "t" + std::to_string(temp_counter.fetch_add(1, std::memory_order_relaxed));
}

// --- extended attributes ---

namespace {

// By /proc, the one way to reach links and devices: relative to the open folder, so that no rename
// can lead elsewhere.
std::string proc_name(int dir, std::string const& name) {
    return sys::proc_path(dir) + '/' + name;
}

}  // namespace

Result<std::optional<std::string>> UpperDir::Impl::get_xattr(int dir, std::string const& name,
                                                             std::string const& xattr) const {
    if (name == ".") {
        return sys::fgetxattr(dir, xattr.c_str());
    }
    return sys::lgetxattr(proc_name(dir, name), xattr.c_str());
}

Status UpperDir::Impl::set_xattr(int dir, std::string const& name, std::string const& xattr,
                                 std::string_view value, int flags) const {
    if (name == ".") {
        return sys::fsetxattr(dir, xattr.c_str(), value, flags);
    }
    return sys::lsetxattr(proc_name(dir, name), xattr.c_str(), value, flags);
}

Status UpperDir::Impl::remove_xattr(int dir, std::string const& name,
                                    std::string const& xattr) const {
    if (name == ".") {
        return sys::fremovexattr(dir, xattr.c_str());
    }
    return sys::lremovexattr(proc_name(dir, name), xattr.c_str());
}

Result<std::vector<std::string>> UpperDir::Impl::list_xattrs(int dir,
                                                             std::string const& name) const {
    if (name == ".") {
        return sys::flistxattr(dir);
    }
    return sys::llistxattr(proc_name(dir, name));
}

Status UpperDir::Impl::drop_acls(int folder) const {
    for (char const* const list : {kAclAccess, kAclDefault}) {
        auto dropped = sys::fremovexattr(folder, list);
        if (!dropped.has_value() && dropped.error().code != Errno::enodata &&
            dropped.error().code != Errno::eopnotsupp) {
            return dropped;
        }
    }
    return {};
}

Result<InodeMark> UpperDir::Impl::read_mark(int dir, std::string const& name) const {
    auto const text = OBLEA_TRY(get_xattr(dir, name, names.inode));
    if (!text.has_value()) {
        return InodeMark{};
    }
    return parse_inode_mark(*text);
}

Status UpperDir::Impl::write_mark(int dir, std::string const& name, InodeMark const& mark) const {
    if (!mark.empty()) {
        return set_xattr(dir, name, names.inode, encode_inode_mark(mark));
    }
    auto removed = remove_xattr(dir, name, names.inode);
    if (!removed.has_value() && removed.error().code == Errno::enodata) {
        return {};
    }
    return removed;
}

// --- whiteouts ---

Result<bool> UpperDir::Impl::is_whiteout(int dir, std::string const& name,
                                         struct stat const& info) const {
    if (S_ISCHR(info.st_mode)) {
        return info.st_rdev == 0;
    }
    if (!S_ISREG(info.st_mode) || info.st_size != 0 || whiteout_style != WhiteoutStyle::xattr) {
        return false;
    }
    return OBLEA_TRY(get_xattr(dir, name, names.whiteout)).has_value();
}

Status UpperDir::Impl::make_whiteout(int dir, std::string const& name) {
    if (whiteout_style == WhiteoutStyle::device) {
        return sys::mknodat(dir, name.c_str(), S_IFCHR, makedev(0, 0));
    }
    std::string const temp = temp_name();
    UniqueFd const file =
        OBLEA_TRY(sys::openat(tmp.get(), temp.c_str(), O_WRONLY | O_CREAT | O_EXCL, 0600));
    OBLEA_TRY(sys::fsetxattr(file.get(), names.whiteout.c_str(), "y"));
    return sys::renameat2(tmp.get(), temp.c_str(), dir, name.c_str(), RENAME_NOREPLACE);
}

Status UpperDir::Impl::move(int dir, std::string const& name, int target_dir,
                            std::string const& target, LeaveWhiteout whiteout) {
    if (whiteout == LeaveWhiteout::no) {
        return sys::renameat2(dir, name.c_str(), target_dir, target.c_str());
    }
    if (rename_whiteout == RenameWhiteout::yes) {
        return sys::renameat2(dir, name.c_str(), target_dir, target.c_str(), RENAME_WHITEOUT);
    }
    // A whiteout at the target, then both change places: the second step is the one that counts.
    // What stood at the target waits in tmp/ meanwhile. After a crash between the two the next
    // mount goes back, by a note that is there as long as that can be needed (put_back).
    std::string const temp = temp_name();
    std::string const note = temp + std::string{kNote};
    ScopeExit const tidy{[&] {
        static_cast<void>(sys::unlink_if_exists(tmp.get(), note.c_str()));
        static_cast<void>(sys::remove_tree(tmp.get(), temp.c_str()));
    }};
    OBLEA_TRY(make_whiteout(tmp.get(), temp));
    struct stat const folder = OBLEA_TRY(sys::fstat(target_dir));
    OBLEA_TRY(sys::symlinkat(encode_note({.folder = folder.st_ino, .name = target}), tmp.get(),
                             note.c_str()));
    auto placed =
        sys::renameat2(tmp.get(), temp.c_str(), target_dir, target.c_str(), RENAME_NOREPLACE);
    if (!placed.has_value() && placed.error().code == Errno::eexist) {
        placed =
            sys::renameat2(tmp.get(), temp.c_str(), target_dir, target.c_str(), RENAME_EXCHANGE);
    }
    OBLEA_TRY(placed);
    auto moved = sys::renameat2(dir, name.c_str(), target_dir, target.c_str(), RENAME_EXCHANGE);
    if (!moved.has_value()) {
        // Back to where it was; what stood at the target is in tmp/ if there was something.
        if (!sys::renameat2(tmp.get(), temp.c_str(), target_dir, target.c_str(), RENAME_EXCHANGE)
                 .has_value()) {
            static_cast<void>(sys::unlink_if_exists(target_dir, target.c_str()));
        }
    }
    return moved;
}

}  // namespace oblea::fs
