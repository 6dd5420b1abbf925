// SPDX-License-Identifier: MIT
#include "fs/fuse/attach.h"

#include "fs/fuse/fusermount.h"
#include "fs/mountinfo.h"
#include "store/base/scope_exit.h"
#include "store/base/sys.h"

#include <fmt/core.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cstdlib>

namespace oblea::fs {
namespace {

namespace sys = base::sys;

Error explain_device(Error error) {
    switch (error.code) {
    case Errno::enoent:
        error.detail =
            "/dev/fuse is missing: load the kernel's module (modprobe fuse), or hand the "
            "device to this container (--device /dev/fuse)";
        break;
    case Errno::enodev:
        error.detail = "/dev/fuse has no driver: load the kernel's module (modprobe fuse)";
        break;
    case Errno::eacces:
    case Errno::eperm:
        error.detail = "no permission to open /dev/fuse: ask the administrator to make it "
                       "accessible (chmod 666 /dev/fuse, as distributions have it)";
        break;
    default:
        error.detail = "/dev/fuse";
    }
    return error;
}

struct Target {
    base::UniqueFd folder;  // O_PATH
    std::string path;
    struct stat st{};
};

Error explain_target(Error error, std::string const& mount_point) {
    if (error.code == Errno{ENOTCONN}) {
        error = {error.code, "",
                 fmt::format("{}: a mount is there whose server has died; take it away with "
                             "`oblea umount {}` first",
                             mount_point, mount_point)};
    } else if (error.code == Errno::enoent) {
        error = {
            error.code, "",
            fmt::format("{}: the mount point does not exist; make the folder first", mount_point)};
    } else if (error.code == Errno::enotdir) {
        error = {error.code, "", fmt::format("{}: the mount point is not a folder", mount_point)};
    } else {
        error.detail = fmt::format("mount point {}", mount_point);
    }
    return error;
}

Result<Target> open_target(std::string const& mount_point) {
    auto folder = sys::open(mount_point, O_PATH | O_DIRECTORY);
    if (!folder.has_value()) {
        return std::unexpected<Error>(explain_target(std::move(folder).error(), mount_point));
    }
    auto st = sys::fstat(folder->get());
    if (!st.has_value()) {
        return std::unexpected<Error>(explain_target(std::move(st).error(), mount_point));
    }
    std::string path = OBLEA_TRY(sys::readlinkat(AT_FDCWD, sys::proc_path(folder->get()).c_str()));
    return Target{.folder = *std::move(folder), .path = std::move(path), .st = *st};
}

// Two mounts of ours on one another are nobody's wish; and a dead one would stay below.
Status check_free(Target const& target) {
    auto const entry = top_mount_at(OBLEA_TRY(read_mountinfo()), target.path);
    if (!entry || !is_ours(*entry)) {
        return {};
    }
    auto const alive = sys::fstatfs(target.folder.get());
    if (!alive.has_value()) {
        return std::unexpected<Error>(explain_target(alive.error(), target.path));
    }
    return fail(Errno::ebusy, "",
                fmt::format("something is mounted at {0} already; choose another folder, or take "
                            "it away with `oblea umount {0}` first",
                            target.path));
}

// A path that the server needs must not lie below its own mount: it would wait for itself.
Status check_apart(Target const& target, MountOptions const& options) {
    for (std::string const& needed : options.needed_paths) {
        std::array<char, PATH_MAX> resolved{};
        if (::realpath(needed.c_str(), resolved.data()) == nullptr) {
            return fail(sys::last_errno(), "realpath", needed);
        }
        if (is_within(resolved.data(), target.path)) {
            return fail(Errno::einval, "",
                        fmt::format("{} cannot be the mount point: the server needs {}, which it "
                                    "would cover",
                                    target.path, resolved.data()));
        }
    }
    return {};
}

unsigned long mount_flags(MountOptions const& options) {
    unsigned long flags = MS_NOATIME;
    if (options.suid == MountOptions::Suid::no) {
        flags |= MS_NOSUID;
    }
    if (options.dev == MountOptions::Dev::no) {
        flags |= MS_NODEV;
    }
    if (options.exec == MountOptions::Exec::no) {
        flags |= MS_NOEXEC;
    }
    if (options.read_only == MountOptions::ReadOnly::yes) {
        flags |= MS_RDONLY;
    }
    return flags;
}

// nullopt: we may not mount ourselves.
Result<std::optional<base::UniqueFd>> mount_directly(Target const& target,
                                                     MountOptions const& options) {
    auto device = sys::open("/dev/fuse", O_RDWR);
    if (!device.has_value()) {
        return std::unexpected<Error>(explain_device(std::move(device).error()));
    }
    std::string const data =
        kernel_options(device->get(), target.st.st_mode & S_IFMT, ::getuid(), ::getgid(), options);
    std::string const type = "fuse." + options.subtype;
    if (::mount(options.source.c_str(), sys::proc_path(target.folder.get()).c_str(), type.c_str(),
                mount_flags(options), data.c_str()) == 0) {
        return std::optional{*std::move(device)};
    }
    Errno const code = sys::last_errno();
    if (code == Errno::eperm || code == Errno::eacces) {
        return std::optional<base::UniqueFd>{};
    }
    if (code == Errno::enodev) {
        return fail(code, "mount", "the kernel knows no FUSE: load its module (modprobe fuse)");
    }
    return fail(code, "mount", fmt::format("mount point {}", target.path));
}

Result<base::UniqueFd> mount_by_helper(Target const& target, MountOptions const& options) {
    if (options.suid == MountOptions::Suid::yes || options.dev == MountOptions::Dev::yes) {
        return fail(Errno::eperm, "",
                    "setuid programs and device nodes in a mount that others see are for root "
                    "alone; `oblea chroot` has them for everybody");
    }
    if (!options.selinux_context.empty()) {
        return fail(Errno::eperm, "",
                    "one SELinux label for all files of a mount is for root alone");
    }
    return fusermount_mount(target.path, options);
}

}  // namespace

std::string kernel_options(int device, unsigned root_mode, unsigned uid, unsigned gid,
                           MountOptions const& options) {
    std::string text = fmt::format("fd={},rootmode={:o},user_id={},group_id={},default_permissions",
                                   device, root_mode, uid, gid);
    if (options.access == MountOptions::Access::allow_other) {
        text += ",allow_other";
    }
    if (!options.selinux_context.empty()) {
        text += fmt::format(",context=\"{}\"", options.selinux_context);
    }
    return text;
}

bool is_within(std::string_view inner, std::string_view outer) {
    if (outer == "/") {
        return true;
    }
    return inner.starts_with(outer) && (inner.size() == outer.size() || inner[outer.size()] == '/');
}

// The kernel's number for a mount, which it never gives again; 0 where it does not tell. Asks no
// server, least of all one that has not begun.
std::uint64_t mount_id_at(std::string const& mount_point) {
    constexpr unsigned kUniqueMountId = 0x4000;  // STATX_MNT_ID_UNIQUE
    struct statx info = {};
    int const flags = AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT | AT_STATX_DONT_SYNC;
    bool const told = ::statx(AT_FDCWD, mount_point.c_str(), flags, kUniqueMountId, &info) == 0 &&
                      (info.stx_mask & kUniqueMountId) != 0;
    return told ? info.stx_mnt_id : 0;
}

Result<Attached> attach(std::string const& mount_point, MountOptions const& options) {
    Target target = OBLEA_TRY(open_target(mount_point));
    OBLEA_TRY(check_free(target));
    OBLEA_TRY(check_apart(target, options));
    auto direct = OBLEA_TRY(mount_directly(target, options));
    Attached attached;
    attached.device = direct ? *std::move(direct) : OBLEA_TRY(mount_by_helper(target, options));
    attached.mount_point = target.path;
    auto const entry = top_mount_at(OBLEA_TRY(read_mountinfo()), target.path);
    if (!entry) {
        return fail(Errno::eio, "mount", target.path + ": mounted, but not in the mount table");
    }
    attached.mount_device = entry->device;
    attached.mount_id = mount_id_at(target.path);
    return attached;
}

void read_far_ahead(Attached const& attached, unsigned bytes) {
    auto const setting =
        sys::open("/sys/class/bdi/" + attached.mount_device + "/read_ahead_kb", O_WRONLY);
    if (setting.has_value()) {
        std::string const kib = std::to_string(bytes / 1024);
        static_cast<void>(::write(setting->get(), kib.data(), kib.size()) > 0);
    }
}

Status detach(Attached const& attached, Lazy lazy) {
    auto const entry = top_mount_at(OBLEA_TRY(read_mountinfo()), attached.mount_point);
    if (!entry || entry->device != attached.mount_device ||
        mount_id_at(attached.mount_point) != attached.mount_id) {
        return {};  // somebody has taken it away already, or covered it by another one
    }
    int const flags = UMOUNT_NOFOLLOW | (lazy == Lazy::yes ? MNT_DETACH : 0);
    if (::umount2(attached.mount_point.c_str(), flags) == 0) {
        return {};
    }
    Errno const code = sys::last_errno();
    if (code == Errno::eperm) {
        return fusermount_unmount(attached.mount_point, lazy);
    }
    return fail(code, "umount", attached.mount_point);
}

}  // namespace oblea::fs
