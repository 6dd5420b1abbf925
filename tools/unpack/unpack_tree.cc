// SPDX-License-Identifier: MIT
#include "tools/unpack/unpack_tree.h"

#include "store/base/limits.h"
#include "store/base/sys.h"
#include "store/index/file_mode.h"
#include "tools/unpack/write_content.h"

#include <fmt/format.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <array>
#include <unordered_map>

namespace oblea::tools {

namespace sys = base::sys;
using base::UniqueFd;
using store::Dirent;
using store::FileType;
using store::InodeAttr;
using store::InodeNo;
using store::Name;
using store::RelPath;

namespace {

constexpr unsigned kSetIdBits = S_ISUID | S_ISGID;

// Marks of overlay file systems: kept by their names, they would hide or show files wherever the
// target is used as a layer.
bool is_overlay_mark(std::string_view name) {
    return name.starts_with("trusted.overlay.") || name.starts_with("user.overlay.");
}

// What a kernel, a file system or a user namespace says to what we may not do.
bool means_not_permitted(Errno code) {
    return code == Errno::eperm || code == Errno::eacces || code == Errno::eopnotsupp ||
           code == Errno::einval || code == Errno::enosys;
}

// The same for xattrs, whose size file systems limit in several ways; ext4 says ENOSPC.
bool means_xattr_not_possible(Errno code) {
    return means_not_permitted(code) || code == Errno::e2big || code == Errno::erange ||
           code == Errno::enospc;
}

// An image has no access times: the last change is a better guess than now.
std::array<struct timespec, 2> times_of(InodeAttr const& attr) {
    struct timespec const time{.tv_sec = attr.mtime.seconds,
                               .tv_nsec = static_cast<long>(attr.mtime.nanoseconds)};
    return {time, time};
}

// A name in a folder that is open, and where both are in the image.
struct Place {
    int folder = -1;
    Name name;
    RelPath path;
};

class TreeWriter {
public:
    TreeWriter(store::ImageView const& image, int target, UnpackOptions const& options)
        : image_(image), target_(target), options_(options) {}

    Result<UnpackSummary> write() {
        OBLEA_TRY(with_context(write_root(), [&] { return "/" + current_.string(); }));
        return summary_;
    }

private:
    enum class Owner { kept, lost };

    Status write_root();
    Status write_entries(int folder, InodeNo ino, RelPath const& path, std::size_t depth);
    Status write_entry(Place const& place, Dirent const& entry, std::size_t depth);
    Status write_directory(Place const& place, InodeNo ino, InodeAttr const& attr,
                           std::size_t depth);
    Status write_file(Place const& place, InodeNo ino, InodeAttr const& attr);
    Status write_symlink(Place const& place, InodeNo ino, InodeAttr const& attr);
    Status write_special(Place const& place, InodeNo ino, InodeAttr const& attr);

    // Makes room for something that is no folder.
    Status clear_way(Place const& place);
    // Whether the inode has been written under another name, and now has this one too.
    Result<bool> link_to_first_name(Place const& place, InodeNo ino);
    Result<UniqueFd> open_folder(RelPath const& path);

    // Owner, xattrs, mode and times, in the order in which none undoes another.
    Status apply_to_open_file(int fd, InodeNo ino, InodeAttr const& attr);
    Status apply_by_name(Place const& place, InodeNo ino, InodeAttr const& attr);
    template <typename Chown>
    Result<Owner> apply_owner(InodeAttr const& attr, Chown&& chown);
    mode_t permissions(InodeAttr const& attr, Owner owner);
    template <typename Set>
    Status apply_xattrs(InodeNo ino, Set&& set);

    store::ImageView const& image_;
    int target_;
    UnpackOptions const& options_;
    UnpackSummary summary_;
    RelPath current_;                                   // what is being written, for messages
    std::unordered_map<InodeNo, RelPath> first_names_;  // of inodes with several names
};

Status TreeWriter::write_root() {
    InodeAttr const attr = OBLEA_TRY(image_.tree().attr(InodeNo::root));
    OBLEA_TRY(write_entries(target_, InodeNo::root, RelPath{}, 0));
    current_ = {};
    return apply_to_open_file(target_, InodeNo::root, attr);
}

Status TreeWriter::write_entries(int folder, InodeNo ino, RelPath const& path, std::size_t depth) {
    // A damaged index can hold a folder inside itself.
    if (depth > limits::kPathDepthMax) {
        return fail(Errno::euclean, "", "folders are nested without end");
    }
    auto const& tree = image_.tree();
    std::uint32_t const count = OBLEA_TRY(tree.entry_count(ino));
    for (std::uint32_t i = 0; i < count; ++i) {
        if (options_.cancel != nullptr && options_.cancel->load()) {
            return fail(Errno::ecanceled, "", "unpacking was interrupted");
        }
        Dirent const entry = OBLEA_TRY(tree.entry(ino, i));
        // Index names are bytes from a file: only what Name takes becomes a name on disk.
        Name name = OBLEA_TRY(Name::parse(entry.name));
        current_ = path / name;
        Place const place{.folder = folder, .name = std::move(name), .path = current_};
        OBLEA_TRY(write_entry(place, entry, depth));
    }
    return {};
}

Status TreeWriter::write_entry(Place const& place, Dirent const& entry, std::size_t depth) {
    InodeAttr const attr = OBLEA_TRY(image_.tree().attr(entry.ino));
    if (attr.type == FileType::directory) {
        return write_directory(place, entry.ino, attr, depth);
    }
    if (options_.existing == UnpackOptions::Existing::replace) {
        OBLEA_TRY(clear_way(place));
    }
    if (attr.nlink > 1 && OBLEA_TRY(link_to_first_name(place, entry.ino))) {
        ++summary_.links;
        return {};
    }
    switch (attr.type) {
    case FileType::regular:
        return write_file(place, entry.ino, attr);
    case FileType::symlink:
        return write_symlink(place, entry.ino, attr);
    default:
        return write_special(place, entry.ino, attr);
    }
}

Status TreeWriter::write_directory(Place const& place, InodeNo ino, InodeAttr const& attr,
                                   std::size_t depth) {
    ++summary_.folders;
    auto const there = OBLEA_TRY(sys::stat_if_exists(place.folder, place.name.c_str()));
    if (there.has_value() && !S_ISDIR(there->st_mode)) {
        OBLEA_TRY(clear_way(place));
    }
    OBLEA_TRY(sys::mkdirat_if_missing(place.folder, place.name.c_str(), 0700));
    UniqueFd const folder = OBLEA_TRY(
        sys::openat(place.folder, place.name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW));
    OBLEA_TRY(write_entries(folder.get(), ino, place.path, depth + 1));
    current_ = place.path;
    return apply_to_open_file(folder.get(), ino, attr);
}

Status TreeWriter::write_file(Place const& place, InodeNo ino, InodeAttr const& attr) {
    ++summary_.files;
    UniqueFd const file = OBLEA_TRY(sys::openat(place.folder, place.name.c_str(),
                                                O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0600));
    OBLEA_TRY(write_content(image_, ino, attr.size, file.get()));
    OBLEA_TRY(apply_to_open_file(file.get(), ino, attr));
    summary_.bytes += attr.size;
    if (options_.progress) {
        options_.progress(summary_);
    }
    return {};
}

Status TreeWriter::write_symlink(Place const& place, InodeNo ino, InodeAttr const& attr) {
    ++summary_.links;
    auto const target = OBLEA_TRY(image_.tree().symlink_target(ino));
    OBLEA_TRY(sys::symlinkat(target, place.folder, place.name.c_str()));
    return apply_by_name(place, ino, attr);
}

Status TreeWriter::write_special(Place const& place, InodeNo ino, InodeAttr const& attr) {
    dev_t const device = ::makedev(attr.device.major, attr.device.minor);
    auto made =
        sys::mknodat(place.folder, place.name.c_str(), store::mode_of(attr.type) | 0600, device);
    bool const is_device =
        attr.type == FileType::char_device || attr.type == FileType::block_device;
    if (!made.has_value() && is_device && means_not_permitted(made.error().code)) {
        ++summary_.devices_lost;
        return {};
    }
    OBLEA_TRY(std::move(made));
    ++summary_.others;
    return apply_by_name(place, ino, attr);
}

Status TreeWriter::clear_way(Place const& place) {
    auto const there = OBLEA_TRY(sys::stat_if_exists(place.folder, place.name.c_str()));
    if (!there.has_value()) {
        return {};
    }
    if (!S_ISDIR(there->st_mode)) {
        return sys::unlinkat(place.folder, place.name.c_str());
    }
    auto removed = sys::unlinkat(place.folder, place.name.c_str(), AT_REMOVEDIR);
    if (!removed.has_value() && removed.error().code == Errno::enotempty) {
        return fail(Errno::eexist, "", "a folder with contents is in the way: remove it first");
    }
    return removed;
}

Result<bool> TreeWriter::link_to_first_name(Place const& place, InodeNo ino) {
    auto const [known, is_first] = first_names_.try_emplace(ino, place.path);
    if (is_first) {
        return false;
    }
    RelPath const& first = known->second;
    UniqueFd const folder = OBLEA_TRY(open_folder(first.parent()));
    auto const linked = sys::linkat(folder.get(), std::string{first.filename()}.c_str(),
                                    place.folder, place.name.c_str());
    if (linked.has_value()) {
        return true;
    }
    Errno const code = linked.error().code;
    if (code == Errno::enoent) {
        return false;  // the first name was a device that could not be made
    }
    if (code == Errno::emlink || means_not_permitted(code)) {
        ++summary_.hard_links_lost;
        return false;
    }
    return std::unexpected<Error>(linked.error());
}

// Component by component, since a path in an image may be longer than the kernel takes.
Result<UniqueFd> TreeWriter::open_folder(RelPath const& path) {
    UniqueFd folder = OBLEA_TRY(sys::openat(target_, ".", O_PATH | O_DIRECTORY));
    for (auto const component : path.components()) {
        folder = OBLEA_TRY(sys::openat(folder.get(), std::string{component}.c_str(),
                                       O_PATH | O_DIRECTORY | O_NOFOLLOW));
    }
    return folder;
}

template <typename Chown>
Result<TreeWriter::Owner> TreeWriter::apply_owner(InodeAttr const& attr, Chown&& chown) {
    if (options_.ownership == UnpackOptions::Ownership::keep) {
        Status const done = chown();
        if (done.has_value()) {
            return Owner::kept;
        }
        if (!means_not_permitted(done.error().code)) {
            return std::unexpected<Error>(done.error());
        }
    } else if (attr.uid == ::geteuid() && attr.gid == ::getegid()) {
        return Owner::kept;
    }
    ++summary_.owners_lost;
    return Owner::lost;
}

mode_t TreeWriter::permissions(InodeAttr const& attr, Owner owner) {
    // A folder's setgid bit lends nobody anything.
    if (owner == Owner::kept || attr.type == FileType::directory ||
        (attr.permissions & kSetIdBits) == 0) {
        return attr.permissions;
    }
    ++summary_.set_id_bits_lost;
    return attr.permissions & ~kSetIdBits;
}

template <typename Set>
Status TreeWriter::apply_xattrs(InodeNo ino, Set&& set) {
    auto const& tree = image_.tree();
    if (!OBLEA_TRY(tree.has_xattrs(ino))) {
        return {};
    }
    bool lost = false;
    for (auto const name : OBLEA_TRY(tree.xattr_names(ino))) {
        auto const value = OBLEA_TRY(tree.xattr(ino, name));
        if (is_overlay_mark(name)) {
            lost = true;
            continue;
        }
        Status const done = set(std::string{name}, value.value_or(std::string_view{}));
        if (done.has_value()) {
            continue;
        }
        if (!means_xattr_not_possible(done.error().code)) {
            return with_context(done, [&] { return fmt::format("xattr {}", name); });
        }
        lost = true;
    }
    summary_.xattrs_lost += lost ? 1 : 0;
    return {};
}

Status TreeWriter::apply_to_open_file(int fd, InodeNo ino, InodeAttr const& attr) {
    // chown takes setuid bits and capabilities away, so they follow; a folder's times come last.
    Owner const owner = OBLEA_TRY(apply_owner(
        attr, [&] { return sys::fchownat(fd, "", attr.uid, attr.gid, AT_EMPTY_PATH); }));
    OBLEA_TRY(apply_xattrs(ino, [&](std::string const& name, std::string_view value) {
        return sys::fsetxattr(fd, name.c_str(), value);
    }));
    OBLEA_TRY(sys::fchmod(fd, permissions(attr, owner)));
    return sys::utimensat(fd, "", times_of(attr).data(), AT_EMPTY_PATH);
}

Status TreeWriter::apply_by_name(Place const& place, InodeNo ino, InodeAttr const& attr) {
    char const* const name = place.name.c_str();
    Owner const owner = OBLEA_TRY(
        apply_owner(attr, [&] { return sys::fchownat(place.folder, name, attr.uid, attr.gid); }));
    std::string const path = sys::proc_path(place.folder) + '/' + place.name.string();
    OBLEA_TRY(apply_xattrs(ino, [&](std::string const& xattr, std::string_view value) {
        return sys::lsetxattr(path, xattr.c_str(), value);
    }));
    if (attr.type != FileType::symlink) {
        UniqueFd const file = OBLEA_TRY(sys::openat(place.folder, name, O_PATH | O_NOFOLLOW));
        OBLEA_TRY(
            sys::fchmodat(AT_FDCWD, sys::proc_path(file.get()).c_str(), permissions(attr, owner)));
    }
    return sys::utimensat(place.folder, name, times_of(attr).data());
}

}  // namespace

std::vector<std::string> describe_losses(UnpackSummary const& summary) {
    std::vector<std::string> lines;
    auto add = [&](std::uint64_t count, std::string_view what) {
        if (count != 0) {
            lines.push_back(fmt::format("{} {}", count, what));
        }
    };
    add(summary.owners_lost, "owners were not kept: all belongs to the user who unpacks");
    add(summary.set_id_bits_lost, "setuid or setgid programs lost these bits with their owners");
    add(summary.devices_lost, "device nodes were left out: only root can make them");
    add(summary.xattrs_lost, "files lost extended attributes that may not be set here");
    add(summary.hard_links_lost, "hard links became copies");
    return lines;
}

Result<UnpackSummary> unpack_tree(store::ImageView const& image, int target,
                                  UnpackOptions const& options) {
    if (options.existing == UnpackOptions::Existing::refuse &&
        !OBLEA_TRY(sys::list_dir(target)).empty()) {
        return fail(Errno::enotempty, "", "the folder is not empty: name another, or say --force");
    }
    return TreeWriter{image, target, options}.write();
}

}  // namespace oblea::tools
