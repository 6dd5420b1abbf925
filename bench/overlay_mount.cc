// SPDX-License-Identifier: MIT
#include "bench/overlay_mount.h"

#include "store/base/sys.h"

#include <linux/mount.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <ranges>

namespace oblea::bench {
namespace {

namespace sys = base::sys;

// glibc's wrappers came with 2.36, its header clashes with the kernel's.
Result<base::UniqueFd> descriptor(long result, char const* call) {
    if (result < 0) {
        return fail(sys::last_errno(), call);
    }
    return base::UniqueFd{static_cast<int>(result)};
}

// What the kernel has to say about the last failure.
std::string kernel_message(int context) {
    std::array<std::byte, 1024> buffer{};
    auto const count = sys::read_some(context, buffer);
    return count.has_value() ? std::string{base::text_of(base::ByteView{buffer}.first(*count))}
                             : std::string{};
}

Status configure(int context, unsigned command, char const* key, char const* value) {
    if (::syscall(SYS_fsconfig, context, command, key, value, 0) != 0) {
        Errno const code = sys::last_errno();
        return fail(code, "fsconfig", kernel_message(context));
    }
    return {};
}

}  // namespace

Status mount_overlay(OverlayFolders const& folders, std::string const& at) {
    auto const context =
        OBLEA_TRY(descriptor(::syscall(SYS_fsopen, "overlay", FSOPEN_CLOEXEC), "fsopen"));
    auto const set = [&](char const* key, std::string const& value) {
        return configure(context.get(), FSCONFIG_SET_STRING, key, value.c_str());
    };
    OBLEA_TRY(set("source", "overlay"));
    for (std::string const& layer : folders.layers | std::views::reverse) {  // top first here
        OBLEA_TRY(set("lowerdir+", layer));
    }
    OBLEA_TRY(set("upperdir", folders.upper));
    OBLEA_TRY(set("workdir", folders.work));
    OBLEA_TRY(configure(context.get(), FSCONFIG_CMD_CREATE, nullptr, nullptr));
    auto const mount = OBLEA_TRY(
        descriptor(::syscall(SYS_fsmount, context.get(), FSMOUNT_CLOEXEC, 0U), "fsmount"));
    if (::syscall(SYS_move_mount, mount.get(), "", AT_FDCWD, at.c_str(), MOVE_MOUNT_F_EMPTY_PATH) !=
        0) {
        return fail(sys::last_errno(), "move_mount", at);
    }
    return {};
}

}  // namespace oblea::bench
