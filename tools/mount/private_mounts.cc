// SPDX-License-Identifier: MIT
#include "tools/mount/private_mounts.h"

#include "store/base/limits.h"
#include "store/base/sys.h"

#include <fmt/core.h>
#include <linux/openat2.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>

namespace oblea::tools {
namespace {

namespace sys = base::sys;
using base::UniqueFd;

Status mount_at(UniqueFd const& target, char const* source, char const* type, unsigned long flags,
                char const* data) {
    if (::mount(source, sys::proc_path(target.get()).c_str(), type, flags, data) != 0) {
        return fail(sys::last_errno(), "mount", source);
    }
    return {};
}

// What is mounted on it now: the descriptor from before still names the folder below.
Result<UniqueFd> reopen(UniqueFd const& root, char const* path) {
    return open_in_root(root, path, O_PATH | O_DIRECTORY);
}

Status set_read_only(int tree, unsigned flags) {
    mount_attr attr{};
    attr.attr_set = MOUNT_ATTR_RDONLY;
    if (::mount_setattr(tree, "", AT_EMPTY_PATH | flags, &attr, sizeof(attr)) != 0) {
        return fail(sys::last_errno(), "mount_setattr");
    }
    return {};
}

// Mount points are where a chroot ends: inside one the root folder is none, and the mount that it
// lies on can be made private only from outside. This namespace is ours, so that is allowed.
Status isolate_from_outside() {
    UniqueFd const inside = OBLEA_TRY(sys::open("/", O_PATH | O_DIRECTORY));
    if (::chdir("/") != 0 || ::chroot("dev") != 0) {
        return fail(sys::last_errno(), "chroot");
    }
    // Above a root folder that lies beside the working folder nothing stops "..".
    for (auto last = OBLEA_TRY(sys::fstatat(AT_FDCWD, "."));;) {
        if (::chdir("..") != 0) {
            return fail(sys::last_errno(), "chdir");
        }
        auto const here = OBLEA_TRY(sys::fstatat(AT_FDCWD, "."));
        if (here.st_dev == last.st_dev && here.st_ino == last.st_ino) {
            break;
        }
        last = here;
    }
    if (::chroot(".") != 0 || ::mount("", "/", nullptr, MS_REC | MS_SLAVE, nullptr) != 0) {
        return fail(sys::last_errno(), "mount", "mount propagation");
    }
    if (::fchdir(inside.get()) != 0 || ::chroot(".") != 0) {
        return fail(sys::last_errno(), "chroot");
    }
    return {};
}

struct Folder {
    char const* source;
    char const* target;
    enum class Access { as_it_is, read_only } access = Access::as_it_is;
};

// The whole tree below the source, submounts included: in a user namespace nothing else is allowed.
Status bind_tree(UniqueFd const& root, Folder const& folder) {
    UniqueFd const target = OBLEA_TRY(reopen(root, folder.target));
    OBLEA_TRY(mount_at(target, folder.source, nullptr, MS_BIND | MS_REC, nullptr));
    UniqueFd const mounted = OBLEA_TRY(reopen(root, folder.target));
    if (::mount("", sys::proc_path(mounted.get()).c_str(), nullptr, MS_REC | MS_PRIVATE, nullptr) !=
        0) {
        return fail(sys::last_errno(), "mount", folder.target);
    }
    return folder.access == Folder::Access::read_only ? set_read_only(mounted.get(), AT_RECURSIVE)
                                                      : Status{};
}

// A copy of the machine's file, read-only: the chroot must not change the machine's network.
// Mounted on the name itself, even where that is a link into nowhere.
Status bind_file(UniqueFd const& root, char const* source, char const* folder, char const* name) {
    UniqueFd const parent = OBLEA_TRY(open_in_root(root, folder, O_PATH | O_DIRECTORY));
    UniqueFd const target = OBLEA_TRY(sys::openat(parent.get(), name, O_PATH | O_NOFOLLOW));
    UniqueFd const tree{::open_tree(AT_FDCWD, source, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC)};
    if (!tree.valid()) {
        return fail(sys::last_errno(), "open_tree", source);
    }
    OBLEA_TRY(set_read_only(tree.get(), 0));
    if (::move_mount(tree.get(), "", target.get(), "",
                     MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) != 0) {
        return fail(sys::last_errno(), "move_mount", source);
    }
    return {};
}

Status bind_device(UniqueFd const& dev, std::string const& name) {
    UniqueFd const file = OBLEA_TRY(sys::openat(dev.get(), name.c_str(), O_WRONLY | O_CREAT, 0666));
    return mount_at(file, ("/dev/" + name).c_str(), nullptr, MS_BIND, nullptr);
}

Status make_pts(UniqueFd const& dev) {
    OBLEA_TRY(sys::mkdirat(dev.get(), "pts", 0755));
    UniqueFd const pts = OBLEA_TRY(sys::openat(dev.get(), "pts", O_PATH | O_DIRECTORY));
    OBLEA_TRY(mount_at(pts, "devpts", "devpts", MS_NOSUID | MS_NOEXEC,
                       "newinstance,ptmxmode=0666,mode=0620"));
    return sys::symlinkat("pts/ptmx", dev.get(), "ptmx");
}

// What the root of a user namespace may have of /dev: the harmless devices, and terminals of its
// own.
Status make_small_dev(UniqueFd const& root) {
    UniqueFd const below = OBLEA_TRY(reopen(root, "dev"));
    OBLEA_TRY(mount_at(below, "tmpfs", "tmpfs", MS_NOSUID | MS_STRICTATIME, "mode=0755,size=64m"));
    UniqueFd const dev = OBLEA_TRY(open_in_root(root, "dev", O_RDONLY | O_DIRECTORY));
    for (std::string const& name : OBLEA_TRY(harmless_devices())) {
        OBLEA_TRY(bind_device(dev, name));
    }
    OBLEA_TRY(link_streams(dev));
    OBLEA_TRY(make_pts(dev));
    OBLEA_TRY(sys::mkdirat(dev.get(), "shm", 01777));
    return sys::fchmodat(dev.get(), "shm", 01777);
}

// A missing mount point is worth a line, any other fault is an error.
Status tolerate_missing(Status done, char const* name, std::vector<std::string>& missing) {
    if (!done.has_value() && done.error().code == Errno::enoent) {
        missing.push_back(fmt::format("there is no {} to show the machine's on", name));
        return {};
    }
    return with_context(std::move(done), [&] { return fmt::format("showing {}", name); });
}

Status show_file(UniqueFd const& root, char const* name, std::vector<std::string>& missing) {
    std::string const source = std::string{"/etc/"} + name;
    auto const st = sys::fstatat(AT_FDCWD, source.c_str(), 0);
    if (!st.has_value()) {
        return {};  // the machine itself does without
    }
    return tolerate_missing(bind_file(root, source.c_str(), "etc", name), source.c_str(), missing);
}

}  // namespace

Status enter_mount_namespace() {
    if (::unshare(CLONE_NEWNS) != 0) {
        return fail(sys::last_errno(), "unshare", "mount namespace");
    }
    if (::mount("", "/", nullptr, MS_REC | MS_SLAVE, nullptr) == 0) {
        return {};
    }
    return sys::last_errno() == Errno::einval
               ? isolate_from_outside()
               : Status{fail(sys::last_errno(), "mount", "mount propagation")};
}

Result<UniqueFd> open_in_root(UniqueFd const& root, char const* path, int flags) {
    return sys::openat2(root.get(), path, static_cast<std::uint64_t>(flags), RESOLVE_IN_ROOT);
}

Result<std::string> read_in_root(UniqueFd const& root, char const* path) {
    // Not blocking: it may be a fifo.
    auto const file = open_in_root(root, path, O_RDONLY | O_NONBLOCK);
    if (!file.has_value()) {
        return std::string{};
    }
    struct stat const st = OBLEA_TRY(sys::fstat(file->get()));
    if (!S_ISREG(st.st_mode)) {
        return std::string{};
    }
    return sys::read_file(AT_FDCWD, sys::proc_path(file->get()).c_str(), limits::kIdFileBytesMax);
}

Result<std::vector<std::string>> show_machine(UniqueFd const& root, Rights rights) {
    std::vector<std::string> missing;
    OBLEA_TRY(
        tolerate_missing(bind_tree(root, {.source = "/proc", .target = "proc"}), "/proc", missing));
    Folder const system{.source = "/sys", .target = "sys", .access = Folder::Access::read_only};
    OBLEA_TRY(tolerate_missing(bind_tree(root, system), "/sys", missing));
    OBLEA_TRY(tolerate_missing(rights == Rights::machine_root
                                   ? bind_tree(root, {.source = "/dev", .target = "dev"})
                                   : make_small_dev(root),
                               "/dev", missing));
    OBLEA_TRY(show_file(root, "resolv.conf", missing));
    OBLEA_TRY(show_file(root, "hosts", missing));
    return missing;
}

Result<std::vector<std::string>> harmless_devices() {
    std::vector<std::string> names;
    for (char const* name : {"null", "zero", "full", "random", "urandom", "tty"}) {
        auto const there =
            OBLEA_TRY(sys::stat_if_exists(AT_FDCWD, (std::string{"/dev/"} + name).c_str()));
        if (there) {
            names.emplace_back(name);
        }
    }
    return names;
}

Status link_streams(UniqueFd const& dev) {
    OBLEA_TRY(sys::symlinkat("/proc/self/fd", dev.get(), "fd"));
    OBLEA_TRY(sys::symlinkat("fd/0", dev.get(), "stdin"));
    OBLEA_TRY(sys::symlinkat("fd/1", dev.get(), "stdout"));
    return sys::symlinkat("fd/2", dev.get(), "stderr");
}

Status change_root(UniqueFd const& root) {
    if (::fchdir(root.get()) != 0) {
        return fail(sys::last_errno(), "fchdir");
    }
    // The old root ends up below the new one at the same place, and goes.
    if (::syscall(SYS_pivot_root, ".", ".") == 0) {
        if (::umount2(".", MNT_DETACH) != 0) {
            return fail(sys::last_errno(), "umount");
        }
    } else if (::chroot(".") != 0) {
        // Inside a chroot, or on the kernel's first file system, there is nothing to swap with.
        return fail(sys::last_errno(), "chroot");
    }
    return ::chdir("/") == 0 ? Status{} : Status{fail(sys::last_errno(), "chdir", "/")};
}

}  // namespace oblea::tools
