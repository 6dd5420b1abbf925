// SPDX-License-Identifier: MIT
#include "tools/monitor/own_root.h"

#include "store/base/absence.h"
#include "store/base/sys.h"
#include "tools/monitor/find_command.h"
#include "tools/mount/private_mounts.h"

#include <fmt/core.h>
#include <linux/mount.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace oblea::tools {
namespace {

namespace sys = base::sys;
using base::UniqueFd;

constexpr mode_t kMountPointMode = 0644;  // of a file that is made to be mounted on

enum class TargetKind { folder, file };

Result<UniqueFd> mount_point(UniqueFd const& root, std::string const& path, TargetKind kind) {
    auto there = open_in_root(root, path.c_str(), O_PATH);
    if (there.has_value() || there.error().code != Errno::enoent) {
        return there;
    }
    auto const slash = path.rfind('/');
    std::string const parent = slash == std::string::npos ? "" : path.substr(0, slash);
    OBLEA_TRY(make_workdir(root, kind == TargetKind::folder ? path : parent));
    if (kind == TargetKind::file) {
        UniqueFd const folder = OBLEA_TRY(
            open_in_root(root, parent.empty() ? "/" : parent.c_str(), O_RDONLY | O_DIRECTORY));
        OBLEA_TRY(sys::openat(folder.get(), path.substr(slash + 1).c_str(),
                              O_WRONLY | O_CREAT | O_NOFOLLOW, kMountPointMode));
    }
    return open_in_root(root, path.c_str(), O_PATH);
}

// A copy of what is mounted at `source`, not mounted anywhere yet.
struct Shown {
    UniqueFd tree;
    TargetKind kind = TargetKind::folder;
};

Result<Shown> copy_tree(int at, char const* source, std::uint64_t attributes) {
    unsigned const empty = *source == '\0' ? unsigned{AT_EMPTY_PATH} : 0U;
    UniqueFd tree{static_cast<int>(::syscall(
        SYS_open_tree, at, source,
        unsigned{OPEN_TREE_CLONE} | unsigned{OPEN_TREE_CLOEXEC} | unsigned{AT_RECURSIVE} | empty))};
    if (!tree.valid()) {
        return fail(sys::last_errno(), "open_tree", source);
    }
    mount_attr wanted{};
    wanted.attr_set = attributes;
    wanted.propagation = MS_PRIVATE;
    if (::mount_setattr(tree.get(), "", AT_EMPTY_PATH | AT_RECURSIVE, &wanted, sizeof(wanted)) !=
        0) {
        return fail(sys::last_errno(), "mount_setattr", source);
    }
    struct stat const info = OBLEA_TRY(sys::fstat(tree.get()));
    return Shown{.tree = std::move(tree),
                 .kind = S_ISDIR(info.st_mode) ? TargetKind::folder : TargetKind::file};
}

Status attach_tree(Shown const& shown, UniqueFd const& target) {
    if (::syscall(SYS_move_mount, shown.tree.get(), "", target.get(), "",
                  MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) != 0) {
        return fail(sys::last_errno(), "move_mount");
    }
    return {};
}

// Calls `change` with what is there; a kernel without it has nothing to hide.
template <typename Change>
Status where_present(UniqueFd const& root, std::string const& path, Change const& change) {
    auto const there = open_in_root(root, path.c_str(), O_PATH);
    if (!there.has_value()) {
        return base::is_absent(there.error().code) ? Status{}
                                                   : Status{std::unexpected<Error>(there.error())};
    }
    return with_context(change(*there), [&] { return path; });
}

Status mask(UniqueFd const& there) {
    struct stat const info = OBLEA_TRY(sys::fstat(there.get()));
    if (!S_ISDIR(info.st_mode)) {
        Shown const nothing = OBLEA_TRY(copy_tree(AT_FDCWD, "/dev/null", 0));
        return attach_tree(nothing, there);
    }
    if (::mount("tmpfs", sys::proc_path(there.get()).c_str(), "tmpfs", MS_RDONLY | MS_NOSUID,
                "size=0k") != 0) {
        return fail(sys::last_errno(), "mount", "tmpfs");
    }
    return {};
}

Status make_read_only(UniqueFd const& there) {
    Shown const shown = OBLEA_TRY(copy_tree(there.get(), "", MOUNT_ATTR_RDONLY));
    return attach_tree(shown, there);
}

Result<std::optional<PseudoTerminal>> make_console(UniqueFd const& root, UniqueFd const& dev,
                                                   BundleProcess const& process) {
    if (!process.terminal) {
        return std::optional<PseudoTerminal>{};
    }
    UniqueFd multiplexer = OBLEA_TRY(open_in_root(root, "dev/pts/ptmx", O_RDWR | O_NOCTTY));
    PseudoTerminal terminal = OBLEA_TRY(make_pseudo_terminal(std::move(multiplexer)));
    if (::fchown(terminal.slave.get(), process.uid, static_cast<gid_t>(-1)) != 0 &&
        sys::last_errno() != Errno::einval) {  // EINVAL: has no such id here
        return fail(sys::last_errno(), "fchown", "terminal");
    }
    OBLEA_TRY(sys::openat(dev.get(), "console", O_WRONLY | O_CREAT | O_NOFOLLOW, kMountPointMode));
    UniqueFd const console = OBLEA_TRY(sys::openat(dev.get(), "console", O_PATH));
    if (::mount(sys::proc_path(terminal.slave.get()).c_str(), sys::proc_path(console.get()).c_str(),
                nullptr, MS_BIND, nullptr) != 0) {
        return fail(sys::last_errno(), "mount", "console");
    }
    return std::optional{std::move(terminal)};
}

Status set_root_access(UniqueFd const& root, Bundle::Access access) {
    mount_attr wanted{};
    wanted.attr_set = access == Bundle::Access::read_only ? std::uint64_t{MOUNT_ATTR_RDONLY} : 0;
    if (wanted.attr_set != 0 &&
        ::mount_setattr(root.get(), "", AT_EMPTY_PATH, &wanted, sizeof(wanted)) != 0) {
        return fail(sys::last_errno(), "mount_setattr");
    }
    return {};
}

}  // namespace

Status mount_in_root(UniqueFd const& root, BundleMount const& mount) {
    if (mount.type.empty()) {
        Shown const shown = OBLEA_TRY(copy_tree(AT_FDCWD, mount.source.c_str(), mount.flags));
        UniqueFd const target = OBLEA_TRY(mount_point(root, mount.target, shown.kind));
        return attach_tree(shown, target);
    }
    UniqueFd const target = OBLEA_TRY(mount_point(root, mount.target, TargetKind::folder));
    if (::mount(mount.source.c_str(), sys::proc_path(target.get()).c_str(), mount.type.c_str(),
                mount.flags, mount.data.c_str()) != 0) {
        return fail(sys::last_errno(), "mount", mount.type);
    }
    return {};
}

Result<std::optional<PseudoTerminal>> enter_own_root(Bundle const& bundle) {
    // What is a root must be mounted, in this namespace.
    if (::mount(bundle.root.c_str(), bundle.root.c_str(), nullptr, MS_BIND | MS_REC, nullptr) !=
        0) {
        return fail(sys::last_errno(), "mount", bundle.root);
    }
    UniqueFd const root = OBLEA_TRY(sys::open(bundle.root, O_PATH | O_DIRECTORY));
    for (BundleMount const& mount : bundle.mounts) {
        OBLEA_TRY(with_context(mount_in_root(root, mount), [&] { return mount.target; }));
    }
    UniqueFd const dev = OBLEA_TRY(open_in_root(root, "dev", O_RDONLY | O_DIRECTORY));
    OBLEA_TRY(link_streams(dev));
    OBLEA_TRY(sys::symlinkat("pts/ptmx", dev.get(), "ptmx"));
    auto terminal = OBLEA_TRY(make_console(root, dev, bundle.process));
    for (std::string const& path : bundle.masked_paths) {
        OBLEA_TRY(where_present(root, path, mask));
    }
    for (std::string const& path : bundle.read_only_paths) {
        OBLEA_TRY(where_present(root, path, make_read_only));
    }
    OBLEA_TRY(set_root_access(root, bundle.access));
    OBLEA_TRY(change_root(root));
    return terminal;
}

}  // namespace oblea::tools
