// SPDX-License-Identifier: MIT
// Attributes of what is in a stack of folders, as its layers have or record them.
#include "fs/lower/folder_lower_impl.h"
#include "store/base/hash.h"
#include "store/index/file_mode.h"

#include <sys/sysmacros.h>

#include <algorithm>
#include <climits>

namespace oblea::fs {
namespace {

constexpr std::uint64_t kPlainNumberEnd = kNewInoFirst;
constexpr std::uint32_t kDeviceNumbersEnd = 1U << 20U;

LowerAttr attr_of(struct stat const& info) {
    LowerAttr attr;
    attr.type = store::type_of_mode(info.st_mode);
    attr.permissions = info.st_mode & 07777U;
    attr.nlink = static_cast<std::uint32_t>(info.st_nlink);
    attr.uid = info.st_uid;
    attr.gid = info.st_gid;
    attr.size = attr.type == FileType::regular || attr.type == FileType::symlink
                    ? static_cast<std::uint64_t>(info.st_size)
                    : 0;
    attr.mtime = {info.st_mtim.tv_sec, static_cast<std::uint32_t>(info.st_mtim.tv_nsec)};
    attr.device = {major(info.st_rdev), minor(info.st_rdev)};
    attr.atime = {info.st_atim.tv_sec, static_cast<std::uint32_t>(info.st_atim.tv_nsec)};
    attr.ctime = {info.st_ctim.tv_sec, static_cast<std::uint32_t>(info.st_ctim.tv_nsec)};
    attr.blocks_512 = static_cast<std::uint64_t>(info.st_blocks);
    return attr;
}

}  // namespace

std::uint64_t FolderLower::st_ino(InodeNo ino) const {
    InodeRecord const* const one = records_.find(ino);
    if (one == nullptr) {
        return 0;
    }
    bool const plain = one->alias == InodeRecord::Alias::no && one->number < kPlainNumberEnd;
    if (plain && one->device == 0 && layers_->stable_devices() > 0) {
        return one->number;
    }
    if (plain && one->device < std::min(layers_->stable_devices(), kDeviceNumbersEnd)) {
        return kForeignInoFirst | (std::uint64_t{one->device} << 40U) | one->number;
    }
    std::array<std::uint64_t, 3> const words{
        one->number, one->device,
        one->alias == InodeRecord::Alias::yes ? std::uint64_t{index_of(ino)} : 0};
    constexpr std::uint64_t kHashed = std::uint64_t{1} << 61U;
    return kForeignInoFirst | kHashed |
           (base::xxh3_64(std::as_bytes(std::span{words})) & (kHashed - 1));
}

Status FolderLower::apply_override(At const& at, char const* xattr, LowerAttr& attr) {
    if (xattr == nullptr) {
        return {};
    }
    auto const text = OBLEA_TRY(layer_xattr(at.folder->get(), at.name, xattr));
    auto const stat = text.has_value() ? parse_override_stat(*text) : std::nullopt;
    if (!stat.has_value()) {
        return {};
    }
    attr.uid = stat->uid;
    attr.gid = stat->gid;
    attr.permissions = stat->permissions;
    if (stat->type.has_value() && attr.type == FileType::regular &&
        *stat->type != FileType::directory) {
        attr.type = *stat->type;
        attr.device = stat->device;
    }
    return {};
}

// Whether the count of the one layer that has the folder is that of the union.
Result<bool> FolderLower::single_layer_links(InodeRecord const& one, At const& at,
                                             LowerAttr const& attr) const {
    // Below 2 the file system does not count; where it does not tell numbers we do not know.
    if (one.folder->candidates.size() != 1 || attr.nlink < 2 ||
        FolderLayers::numbers_of(at.folder->get()) != FolderLayers::Numbers::told) {
        return false;
    }
    for (std::string const& xattr : OBLEA_TRY(layer_xattr_names(at.folder->get(), at.name))) {
        if (xattr.ends_with(".overlay.redirect")) {
            return false;
        }
    }
    return true;
}

Result<LowerAttr> FolderLower::attr(InodeNo ino) const {
    InodeRecord const* const one = OBLEA_TRY(record(ino));
    if (one->parent.load(std::memory_order_acquire) == 0 && ino != InodeNo::root) {
        LowerAttr told;
        told.type = one->type;
        return told;
    }
    At const at = OBLEA_TRY(locate(*one));
    LowerAttr attr = attr_of(OBLEA_TRY(sys::fstatat(at.folder->get(), at.name.c_str())));
    OBLEA_TRY(apply_override(at, layers_->override_xattr(one->layer), attr));
    if (attr.type != one->type) {
        return fail(Errno::estale, "lower", "a lower folder was changed");
    }
    if (attr.type == FileType::directory) {
        if (options_.folder_links == FolderLowerOptions::FolderLinks::one) {
            attr.nlink = 1;
        } else if (!OBLEA_TRY(single_layer_links(*one, at, attr))) {
            attr.nlink = 2 + OBLEA_TRY(loaded(ino))->subfolders;
        }
    }
    return attr;
}

Result<std::string> FolderLower::symlink_target(InodeNo ino) const {
    InodeRecord const* const one = OBLEA_TRY(record(ino));
    At const at = OBLEA_TRY(locate(*one));
    struct stat const info = OBLEA_TRY(sys::fstatat(at.folder->get(), at.name.c_str()));
    if (S_ISLNK(info.st_mode)) {
        return sys::readlinkat(at.folder->get(), at.name.c_str());
    }
    // One that could not be made: its target is its content.
    return sys::read_file(at.folder->get(), at.name.c_str(), PATH_MAX);
}

Result<std::optional<std::string>> FolderLower::xattr(InodeNo ino, std::string_view name) const {
    InodeRecord const* const one = OBLEA_TRY(record(ino));
    std::string const stored = stored_layer_xattr(name);
    if (!shown_layer_xattr(stored).has_value() || is_recorded_stat(*one, stored)) {
        return std::optional<std::string>{};
    }
    At const at = OBLEA_TRY(locate(*one));
    return layer_xattr(at.folder->get(), at.name, stored.c_str());
}

Result<std::vector<std::string>> FolderLower::xattr_names(InodeNo ino) const {
    InodeRecord const* const one = OBLEA_TRY(record(ino));
    At const at = OBLEA_TRY(locate(*one));
    std::vector<std::string> names;
    for (std::string const& stored : OBLEA_TRY(layer_xattr_names(at.folder->get(), at.name))) {
        auto shown = shown_layer_xattr(stored);
        if (shown.has_value() && !is_recorded_stat(*one, stored)) {
            names.push_back(*std::move(shown));
        }
    }
    return names;
}

}  // namespace oblea::fs
