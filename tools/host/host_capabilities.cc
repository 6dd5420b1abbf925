// SPDX-License-Identifier: MIT
#include "tools/host/host_capabilities.h"

#include "fs/fuse/ring.h"

#include "store/base/parse_number.h"
#include "store/base/sys.h"
#include "store/base/text.h"

#include <fmt/format.h>
#include <pwd.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <array>
#include <cstdlib>

namespace oblea::tools {

namespace sys = base::sys;

namespace {

constexpr std::size_t kSmallFileBytes = 1U << 20U;

// Takes what stands before `separator`, and the separator, from the front of `text`.
std::string_view take_until(std::string_view& text, char separator) {
    std::size_t const end = std::min(text.find(separator), text.size());
    std::string_view const part = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    return part;
}

// A file's text; what cannot be read says nothing, which is what its absence says.
std::string text_of_file(char const* path) {
    return sys::read_file(AT_FDCWD, path, kSmallFileBytes).value_or(std::string{});
}

HostCapabilities::FuseDevice probe_fuse_device() {
    auto const device = sys::open("/dev/fuse", O_RDWR);
    if (device.has_value()) {
        return HostCapabilities::FuseDevice::usable;
    }
    Errno const code = device.error().code;
    return code == Errno::eacces || code == Errno::eperm
               ? HostCapabilities::FuseDevice::not_permitted
               : HostCapabilities::FuseDevice::missing;
}

bool has_capability(unsigned number) {
    std::string const status = text_of_file("/proc/self/status");
    std::string_view rest = status;
    while (!rest.empty()) {
        std::string_view line = take_until(rest, '\n');
        if (take_until(line, ':') == "CapEff") {
            auto const mask = base::parse_number<std::uint64_t>(base::trimmed(line), 16);
            return mask.has_value() && ((*mask >> number) & 1U) != 0;
        }
    }
    return ::geteuid() == 0;  // no /proc
}

// In PATH, and where distributions have it even if PATH does not say so.
std::optional<std::string> find_program(std::string_view name) {
    char const* const variable = std::getenv("PATH");
    std::string const folders =
        std::string{variable != nullptr ? variable : ""} + ":/usr/local/bin:/usr/bin:/bin";
    std::string_view rest = folders;
    while (!rest.empty()) {
        std::string path{take_until(rest, ':')};
        path += '/';
        path += name;
        if (::access(path.c_str(), X_OK) == 0) {
            return path;
        }
    }
    return std::nullopt;
}

bool is_privileged_program(std::string const& path) {
    auto const file = sys::open(path, O_RDONLY);
    if (!file.has_value()) {
        // Some distributions let nobody read it; it is setuid then.
        auto const status = sys::fstatat(AT_FDCWD, path.c_str(), 0);
        return status.has_value() && (status->st_mode & S_ISUID) != 0;
    }
    auto const status = sys::fstat(file->get());
    bool const setuid =
        status.has_value() && status->st_uid == 0 && (status->st_mode & S_ISUID) != 0;
    return setuid ||
           sys::fgetxattr(file->get(), "security.capability").value_or(std::nullopt).has_value();
}

// Each switch that a kernel or distribution has against unprivileged user namespaces.
bool probe_user_namespaces() {
    if (::access("/proc/self/ns/user", F_OK) != 0) {
        return false;
    }
    auto first = [](char const* path) { return text_of_file(path).substr(0, 2); };
    return first("/proc/sys/kernel/unprivileged_userns_clone") != "0\n" &&
           first("/proc/sys/kernel/apparmor_restrict_unprivileged_userns") != "1\n" &&
           first("/proc/sys/user/max_user_namespaces") != "0\n";
}

std::string user_name() {
    struct passwd entry{};
    struct passwd* found = nullptr;
    std::array<char, 4096> buffer{};
    if (::getpwuid_r(::getuid(), &entry, buffer.data(), buffer.size(), &found) != 0 ||
        found == nullptr) {
        return {};
    }
    return entry.pw_name;
}

}  // namespace

std::optional<KernelVersion> parse_kernel_version(std::string_view release) {
    auto const major = base::parse_number<unsigned>(take_until(release, '.'));
    auto const minor =
        base::parse_number<unsigned>(release.substr(0, release.find_first_not_of("0123456789")));
    if (!major || !minor) {
        return std::nullopt;
    }
    return KernelVersion{.major = *major, .minor = *minor};
}

bool parse_user_allow_other(std::string_view fuse_conf) {
    while (!fuse_conf.empty()) {
        std::string_view line = take_until(fuse_conf, '\n');
        if (base::trimmed(take_until(line, '#')) == "user_allow_other") {
            return true;
        }
    }
    return false;
}

std::vector<IdRange> parse_subordinate_ids(std::string_view text, std::string_view user,
                                           std::uint64_t uid) {
    std::vector<IdRange> ranges;
    while (!text.empty()) {
        std::string_view line = take_until(text, '\n');
        std::string_view const owner = base::trimmed(take_until(line, ':'));
        auto const first = base::parse_number<std::uint64_t>(base::trimmed(take_until(line, ':')));
        auto const count = base::parse_number<std::uint64_t>(base::trimmed(line));
        bool const ours = (!user.empty() && owner == user) || owner == std::to_string(uid);
        if (ours && first && count && *count > 0) {
            ranges.push_back({.first = *first, .count = *count});
        }
    }
    return ranges;
}

HostCapabilities probe_host() {
    constexpr unsigned kCapSysAdmin = 21;
    HostCapabilities host;
    struct utsname names{};
    if (::uname(&names) == 0) {
        host.kernel_release = names.release;
        host.kernel = parse_kernel_version(host.kernel_release).value_or(KernelVersion{});
    }
    host.fuse_device = probe_fuse_device();
    host.admin = has_capability(kCapSysAdmin);
    host.fusermount = find_program("fusermount3");
    host.fusermount_privileged =
        host.fusermount.has_value() && is_privileged_program(*host.fusermount);
    host.user_allow_other = parse_user_allow_other(text_of_file("/etc/fuse.conf"));
    host.io_uring_enabled =
        text_of_file("/sys/module/fuse/parameters/enable_uring").starts_with('Y');
    host.no_rings = fs::why_no_rings();
    host.user_namespaces = probe_user_namespaces();
    host.newuidmap = find_program("newuidmap").has_value() && find_program("newgidmap").has_value();
    std::string const user = user_name();
    host.subordinate_uids = parse_subordinate_ids(text_of_file("/etc/subuid"), user, ::getuid());
    host.subordinate_gids = parse_subordinate_ids(text_of_file("/etc/subgid"), user, ::getuid());
    host.libfuse_version = OBLEA_LIBFUSE_VERSION;
    host.libfuse_bundled = OBLEA_LIBFUSE_BUNDLED != 0;
    return host;
}

}  // namespace oblea::tools
