// SPDX-License-Identifier: MIT
#include "fs/lower/folder_layers.h"

#include "store/base/absence.h"
#include "store/base/limits.h"
#include "store/base/sys.h"

#include <linux/magic.h>
#include <linux/openat2.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>

namespace oblea::fs {

namespace sys = base::sys;
using base::UniqueFd;

namespace {

constexpr std::size_t kPieceBytes = 4000;  // below PATH_MAX
constexpr int kFolderFlags = O_PATH | O_DIRECTORY | O_NOFOLLOW;
constexpr std::uint64_t kBeneath =
    RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_XDEV;
constexpr std::array kFormatXattrs{"trusted.overlay.oblea.format", "user.overlay.oblea.format"};

// XFS_SUPER_MAGIC and F2FS_SUPER_MAGIC are not in every linux/magic.h.
constexpr std::array<std::uint64_t, 5> kTellingFileSystems{
    EXT4_SUPER_MAGIC, 0x58465342, BTRFS_SUPER_MAGIC, TMPFS_MAGIC, 0xF2F52010};

// The folder as a mount of its own, in which nothing that is mounted on it or below it is seen, our
// own mount least of all. Needs privilege; without, such places are closed (RESOLVE_NO_XDEV).
UniqueFd without_mounts(UniqueFd folder) {
    constexpr unsigned kFlags = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH;
    auto const cloned = ::syscall(SYS_open_tree, folder.get(), "", kFlags);
    return cloned < 0 ? std::move(folder) : UniqueFd{static_cast<int>(cloned)};
}

Result<UniqueFd> open_layer(std::string const& path) {
    auto opened = sys::open(path, O_PATH | O_DIRECTORY);
    if (!opened.has_value()) {
        return std::unexpected<Error>(
            with_context(std::move(opened).error(), "lower folder " + path));
    }
    UniqueFd root = without_mounts(*std::move(opened));
    for (char const* xattr : kFormatXattrs) {
        auto const format = layer_xattr(root.get(), ".", xattr);
        if (format.has_value() && format->has_value() && (*format)->ends_with("private")) {
            return fail(Errno::ebusy, "",
                        "lower folder " + path +
                            " is the upper layer of a mount, or of one that was not taken down: "
                            "unmount it, or complete it with `oblea seal`");
        }
    }
    return root;
}

}  // namespace

Result<std::optional<std::string>> layer_xattr(int folder, std::string_view name,
                                               char const* xattr) {
    auto value = sys::lgetxattr(sys::proc_path(folder) + '/' + std::string{name}, xattr);
    if (!value.has_value() && value.error().code == Errno::eopnotsupp) {
        return std::optional<std::string>{};  // the file system has none
    }
    return value;
}

Result<std::vector<std::string>> layer_xattr_names(int folder, std::string_view name) {
    auto names = sys::llistxattr(sys::proc_path(folder) + '/' + std::string{name});
    if (!names.has_value() && names.error().code == Errno::eopnotsupp) {
        return std::vector<std::string>{};
    }
    return names;
}

Result<std::unique_ptr<FolderLayers>> FolderLayers::open(std::vector<std::string> const& paths,
                                                         FolderLowerOptions::Redirects redirects,
                                                         NumberingLog& numbering) {
    if (paths.size() > limits::kLayersMax) {
        return fail(Errno::einval, "",
                    "more than " + std::to_string(limits::kLayersMax) + " lower folders");
    }
    std::vector<UniqueFd> roots;
    for (std::string const& path : paths) {
        roots.push_back(OBLEA_TRY(open_layer(path)));
    }
    return adopt(std::move(roots), redirects, numbering);
}

Result<std::unique_ptr<FolderLayers>> FolderLayers::adopt(std::vector<UniqueFd> roots,
                                                          FolderLowerOptions::Redirects redirects,
                                                          NumberingLog& numbering) {
    if (roots.empty()) {
        return fail(Errno::einval, "", "no lower folder");
    }
    std::unique_ptr<FolderLayers> layers{
        new FolderLayers(redirects, numbering)};  // NOLINT: private
    for (UniqueFd& opened : roots) {
        auto root = std::make_shared<UniqueFd const>(std::move(opened));
        static_cast<void>(layers->device(OBLEA_TRY(sys::fstat(root->get())).st_dev));
        char const* recorded = nullptr;
        for (char const* xattr : kOverrideXattrs) {
            auto const value = layer_xattr(root->get(), ".", xattr);
            if (value.has_value() && value->has_value()) {
                recorded = xattr;
                break;
            }
        }
        layers->roots_.push_back(std::move(root));
        layers->override_xattrs_.push_back(recorded);
    }
    base::LockGuard const lock{layers->mutex_};
    layers->stable_devices_ = static_cast<std::uint32_t>(layers->devices_.size());
    return layers;
}

Result<SharedFd> FolderLayers::open_folder(SharedFd const& base, std::string const& path) {
    SharedFd at = base;
    std::string_view rest = path;
    while (!rest.empty()) {
        std::size_t end = rest.size();
        if (end > kPieceBytes) {
            end = rest.rfind('/', kPieceBytes);  // names have 255 bytes at most
        }
        std::string const piece{rest.substr(0, end)};
        at = std::make_shared<UniqueFd const>(
            OBLEA_TRY(sys::openat2(at->get(), piece.c_str(), kFolderFlags, kBeneath)));
        rest.remove_prefix(std::min(end + 1, rest.size()));
    }
    return at;
}

Result<FolderMarks> FolderLayers::marks(int folder) const {
    FolderMarks marks;
    for (std::string const& name : OBLEA_TRY(layer_xattr_names(folder, "."))) {
        if (std::ranges::find(kOpaqueXattrs, name) != kOpaqueXattrs.end()) {
            auto const value = OBLEA_TRY(layer_xattr(folder, ".", name.c_str()));
            if (value == "y") {
                marks.opaque = FolderMarks::Opaque::yes;
            } else if (value == "x") {
                marks.xattr_whiteouts = FolderMarks::XattrWhiteouts::yes;
            }
        }
        bool const believed =
            (redirects_ != FolderLowerOptions::Redirects::none &&
             name == "trusted.overlay.redirect") ||
            (redirects_ == FolderLowerOptions::Redirects::user && name == "user.overlay.redirect");
        if (believed) {
            marks.redirect = OBLEA_TRY(layer_xattr(folder, ".", name.c_str()));
        }
    }
    return marks;
}

Result<FolderLayers::Redirected> FolderLayers::follow(std::uint16_t layer,
                                                      std::string const& path) const {
    Redirected result{.path_below = path};
    auto const parsed = OBLEA_TRY(store::RelPath::parse(path));
    auto const components = parsed.components();
    SharedFd at = root(layer);
    std::string walked;
    for (std::size_t i = 0; i < components.size(); ++i) {
        std::string const name{components[i]};
        auto opened = sys::openat(at->get(), name.c_str(), kFolderFlags);
        if (!opened.has_value() && !base::is_absent(opened.error().code) &&
            opened.error().code != Errno::eloop) {
            return std::unexpected<Error>(std::move(opened).error());
        }
        if (!opened.has_value()) {
            std::string const whiteout = ".wh." + name;
            bool const hidden =
                opened.error().code != Errno::enoent ||
                OBLEA_TRY(sys::stat_if_exists(at->get(), whiteout.c_str())).has_value();
            if (hidden) {
                result.below = Redirected::Below::hidden;
            }
            return result;
        }
        at = std::make_shared<UniqueFd const>(*std::move(opened));
        bool const last = i + 1 == components.size();
        if (!last) {
            FolderMarks const seen = OBLEA_TRY(marks(at->get()));
            if (seen.opaque == FolderMarks::Opaque::yes ||
                OBLEA_TRY(sys::stat_if_exists(at->get(), ".wh..wh..opq")).has_value()) {
                result.below = Redirected::Below::hidden;
            }
            auto const moved =
                seen.redirect.has_value() ? redirected_path(walked, *seen.redirect) : std::nullopt;
            if (moved.has_value()) {
                result.path_below = *moved;
                for (std::size_t next = i + 1; next < components.size(); ++next) {
                    result.path_below += '/' + std::string{components[next]};
                }
            }
        }
        walked += (walked.empty() ? "" : "/") + name;
    }
    result.folder = std::move(at);
    return result;
}

std::uint32_t FolderLayers::device(dev_t number) {
    base::LockGuard const lock{mutex_};
    auto const known = std::ranges::find(devices_, number);
    auto const index = static_cast<std::uint32_t>(known - devices_.begin());
    if (known == devices_.end()) {
        numbering_.note({.kind = NumberingLog::Event::Kind::file_system, .number = number});
        devices_.push_back(number);
    }
    return index;
}

FolderLayers::Numbers FolderLayers::numbers_of(int folder) {
    auto const info = sys::fstatfs(folder);
    bool const told =
        info.has_value() &&
        std::ranges::find(kTellingFileSystems, static_cast<std::uint64_t>(info->f_type)) !=
            kTellingFileSystems.end();
    return told ? Numbers::told : Numbers::to_be_asked;
}

}  // namespace oblea::fs
