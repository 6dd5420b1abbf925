// SPDX-License-Identifier: MIT
#include "fs/fuse/fusermount.h"

#include "fs/fuse/attach.h"
#include "store/base/subprocess.h"
#include "store/base/sys.h"

#include <fmt/core.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <ranges>
#include <vector>

namespace oblea::fs {
namespace {

namespace sys = base::sys;

struct Helper {
    std::string path;
    enum class Rights { setuid, none } rights = Rights::none;
};

std::vector<std::string> search_path() {
    std::vector<std::string> folders;
    char const* path = std::getenv("PATH");
    for (auto&& part : std::string_view{path != nullptr ? path : ""} | std::views::split(':')) {
        folders.emplace_back(part.begin(), part.end());
    }
    folders.insert(folders.end(), {"/usr/bin", "/bin", "/usr/local/bin"});
    return folders;
}

// A helper without rights (our own bundled one may be first in PATH) is taken only when there is no
// other.
Result<Helper> find_helper() {
    std::optional<Helper> found;
    for (std::string const& folder : search_path()) {
        std::string path = folder + "/fusermount3";
        auto const st = sys::fstatat(AT_FDCWD, path.c_str(), 0);
        if (!st.has_value() || !S_ISREG(st->st_mode) || ::access(path.c_str(), X_OK) != 0) {
            continue;
        }
        if (st->st_uid == 0 && (st->st_mode & S_ISUID) != 0) {
            return Helper{.path = std::move(path), .rights = Helper::Rights::setuid};
        }
        if (!found) {
            found = Helper{.path = std::move(path)};
        }
    }
    if (!found) {
        return fail(Errno::enoent, "",
                    "fusermount3 is missing, and mounting without it is for root alone: install "
                    "the package fuse3, or use `oblea chroot`, which mounts in a namespace");
    }
    return *std::move(found);
}

// Receives the descriptor that the helper sends over its socket; nullopt when it sent none.
std::optional<base::UniqueFd> receive_descriptor(int socket) {
    std::array<char, 1> byte{};
    iovec data{.iov_base = byte.data(), .iov_len = byte.size()};
    alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> control{};
    msghdr message{};
    message.msg_iov = &data;
    message.msg_iovlen = 1;
    message.msg_control = control.data();
    message.msg_controllen = control.size();
    ssize_t count = -1;
    do {
        count = ::recvmsg(socket, &message, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
    } while (count < 0 && sys::last_errno() == Errno::eintr);
    cmsghdr const* header = count > 0 ? CMSG_FIRSTHDR(&message) : nullptr;
    if (header == nullptr || header->cmsg_type != SCM_RIGHTS ||
        header->cmsg_len != CMSG_LEN(sizeof(int))) {
        return std::nullopt;
    }
    int fd = -1;
    std::memcpy(&fd, CMSG_DATA(header), sizeof(fd));
    return base::UniqueFd{fd};
}

std::string one_line(std::string_view messages) {
    std::string line{messages.substr(0, messages.find_last_not_of("\n ") + 1)};
    std::ranges::replace(line, '\n', ' ');
    return line;
}

}  // namespace

std::string fusermount_options(MountOptions const& options) {
    std::string text = fmt::format("fsname={},subtype={},default_permissions,nosuid,nodev,noatime",
                                   options.source, options.subtype);
    if (options.read_only == MountOptions::ReadOnly::yes) {
        text += ",ro";
    }
    if (options.exec == MountOptions::Exec::no) {
        text += ",noexec";
    }
    if (options.access == MountOptions::Access::allow_other) {
        text += ",allow_other";
    }
    return text;
}

Error explain_fusermount(std::string_view messages, std::string const& mount_point) {
    auto const said = [&](std::string_view words) { return messages.contains(words); };
    std::string const line = one_line(messages);
    if (said("user_allow_other")) {
        return {Errno::eperm, "",
                "others may use your mounts only where the administrator allows it: add the line "
                "user_allow_other to /etc/fuse.conf, or mount without --allow-other"};
    }
    if (said("too many FUSE filesystems mounted")) {
        return {Errno::eperm, "", line + "; raise mount_max in /etc/fuse.conf"};
    }
    if (said("no write access to mountpoint") || said("not owned by user") ||
        said("user has no write access")) {
        return {Errno::eperm, "",
                fmt::format("{} is not yours: an ordinary user mounts on folders of his own only",
                            mount_point)};
    }
    if (said("not found in /etc/mtab") || said("not mounted")) {
        return {Errno::einval, "", fmt::format("nothing of yours is mounted at {}", mount_point)};
    }
    if (said("busy")) {
        return {Errno::ebusy, "umount", mount_point};
    }
    return {Errno::eperm, "", line.empty() ? "fusermount3 failed without a message" : line};
}

Result<base::UniqueFd> fusermount_mount(std::string const& mount_point,
                                        MountOptions const& options) {
    Helper const helper = OBLEA_TRY(find_helper());
    std::array<int, 2> ends{};
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) != 0) {
        return fail(sys::last_errno(), "socketpair");
    }
    base::UniqueFd const ours{ends[0]};
    base::UniqueFd const theirs{ends[1]};
    auto const end = OBLEA_TRY(base::run_program(
        {.arguments = {helper.path, "-o", fusermount_options(options), "--", mount_point},
         .environment = {"_FUSE_COMMFD=3"},
         .descriptor = theirs.get()}));
    if (end.succeeded()) {
        if (auto device = receive_descriptor(ours.get())) {
            return *std::move(device);
        }
    }
    if (helper.rights == Helper::Rights::none) {
        return fail(Errno::eperm, "",
                    fmt::format("{} is not setuid root, so only root can mount: install the "
                                "package fuse3, or chmod u+s it; `oblea chroot` needs neither",
                                helper.path));
    }
    return std::unexpected<Error>(explain_fusermount(end.messages, mount_point));
}

Status fusermount_unmount(std::string const& mount_point, Lazy lazy) {
    Helper const helper = OBLEA_TRY(find_helper());
    base::Program program{.arguments = {helper.path, "-u"}, .environment = {}};
    if (lazy == Lazy::yes) {
        program.arguments.emplace_back("-z");
    }
    program.arguments.insert(program.arguments.end(), {"--", mount_point});
    auto const end = OBLEA_TRY(base::run_program(program));
    if (!end.succeeded()) {
        return std::unexpected<Error>(explain_fusermount(end.messages, mount_point));
    }
    return {};
}

}  // namespace oblea::fs
