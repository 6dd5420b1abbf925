// SPDX-License-Identifier: MIT
#include "fs/fuse/attach.h"
#include "fs/fuse/fusermount.h"
#include "fs/fuse/server.h"
#include "fs/mountinfo.h"
#include "store/base/sys.h"

#include <fmt/core.h>
#include <fmt/ranges.h>
#include <sys/mount.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cstdlib>

namespace oblea::fs {
namespace {

namespace sys = base::sys;

constexpr std::size_t kHoldersShown = 3;

// The absolute path without links, the last component not looked at: a mount whose server is dead
// answers no lookup.
Result<std::string> resolve_parent(std::string path) {
    while (path.size() > 1 && path.back() == '/') {
        path.pop_back();
    }
    auto const slash = path.rfind('/');
    std::string const name = slash == std::string::npos ? path : path.substr(slash + 1);
    std::string const parent = slash == std::string::npos ? "." : path.substr(0, slash + 1);
    if (name.empty() || name == "." || name == "..") {
        return fail(Errno::einval, "", path + ": name the mount point by its own name");
    }
    char* resolved = ::realpath(parent.c_str(), nullptr);
    if (resolved == nullptr) {
        return fail(sys::last_errno(), "realpath", path);
    }
    std::string absolute = resolved;
    std::free(resolved);  // NOLINT: realpath's own allocation
    return (absolute == "/" ? "" : absolute) + "/" + name;
}

Result<MountEntry> find_ours(std::string const& mount_point) {
    auto const table = OBLEA_TRY(read_mountinfo());
    auto entry = top_mount_at(table, OBLEA_TRY(resolve_parent(mount_point)));
    if (!entry) {
        // The name may be a link to the mount point.
        if (char* resolved = ::realpath(mount_point.c_str(), nullptr)) {
            entry = top_mount_at(table, resolved);
            std::free(resolved);  // NOLINT: realpath's own allocation
        }
    }
    if (!entry) {
        return fail(Errno::einval, "", fmt::format("nothing is mounted at {}", mount_point));
    }
    if (!is_ours(*entry)) {
        return fail(Errno::einval, "",
                    fmt::format("what is mounted at {} is not oblea's but of type {}; use umount",
                                mount_point, entry->type));
    }
    return *std::move(entry);
}

bool is_number(std::string_view text) {
    return !text.empty() && text.find_first_not_of("0123456789") == std::string_view::npos;
}

// Whether a link in /proc, read as text, leads into the mount; nothing of it is touched.
bool leads_into(int folder, char const* link, std::string const& mount_point) {
    auto const target = sys::readlinkat(folder, link);
    return target.has_value() && is_within(*target, mount_point);
}

bool process_uses(int process, std::string const& mount_point) {
    if (leads_into(process, "cwd", mount_point) || leads_into(process, "root", mount_point) ||
        leads_into(process, "exe", mount_point)) {
        return true;
    }
    auto const descriptors = sys::openat(process, "fd", O_RDONLY | O_DIRECTORY);
    if (!descriptors.has_value()) {
        return false;  // of another user, or gone
    }
    auto const entries = sys::list_dir(descriptors->get());
    return entries.has_value() && std::ranges::any_of(*entries, [&](sys::DirEntry const& entry) {
               return leads_into(descriptors->get(), entry.name.c_str(), mount_point);
           });
}

std::string command_of(int process) {
    auto text = sys::read_file(process, "comm", 256);
    if (!text.has_value()) {
        return "?";
    }
    std::erase(*text, '\n');
    return *std::move(text);
}

// "bash (pid 7), vim (pid 9)"; empty when nobody can be seen.
std::string holders_of(std::string const& mount_point) {
    std::vector<std::string> holders;
    auto const proc = sys::open("/proc", O_RDONLY | O_DIRECTORY);
    auto const entries =
        proc.has_value() ? sys::list_dir(proc->get()) : Result<std::vector<sys::DirEntry>>{};
    if (!entries.has_value()) {
        return {};
    }
    for (sys::DirEntry const& entry : *entries) {
        if (!is_number(entry.name) || holders.size() == kHoldersShown) {
            continue;
        }
        auto const process = sys::openat(proc->get(), entry.name.c_str(), O_PATH | O_DIRECTORY);
        if (process.has_value() && process_uses(process->get(), mount_point)) {
            holders.push_back(fmt::format("{} (pid {})", command_of(process->get()), entry.name));
        }
    }
    return fmt::format("{}", fmt::join(holders, ", "));
}

Error explain_busy(std::string const& mount_point) {
    std::string const holders = holders_of(mount_point);
    return {Errno::ebusy, "",
            fmt::format("{} is in use{}{}; end that first, or unmount with --lazy, which takes the "
                        "name away at once and the rest when nobody uses it any more",
                        mount_point, holders.empty() ? "" : " by ", holders)};
}

}  // namespace

Status unmount(std::string const& mount_point, Lazy lazy) {
    MountEntry const entry = OBLEA_TRY(find_ours(mount_point));
    auto ended = detach({.device = {},
                         .mount_point = entry.mount_point,
                         .mount_device = entry.device,
                         .mount_id = mount_id_at(entry.mount_point)},
                        lazy);
    if (!ended.has_value() && ended.error().code == Errno::ebusy) {
        return std::unexpected<Error>(explain_busy(entry.mount_point));
    }
    return ended;
}

}  // namespace oblea::fs
