// SPDX-License-Identifier: MIT
// What this machine lets its user do with FUSE and user namespaces.
//
// probe_host() looks and changes nothing; everything that judges is pure.
#pragma once
#include "store/base/error.h"

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace oblea::tools {

struct KernelVersion {
    unsigned major = 0;
    unsigned minor = 0;
    auto operator<=>(KernelVersion const&) const = default;
};
inline constexpr KernelVersion kPassthroughSince{6, 9};
inline constexpr KernelVersion kIoUringSince{6, 14};

// "6.1.0-18-amd64".
[[nodiscard]] std::optional<KernelVersion> parse_kernel_version(std::string_view release);

// Whether a fuse.conf has the line user_allow_other.
[[nodiscard]] bool parse_user_allow_other(std::string_view fuse_conf);

struct IdRange {
    std::uint64_t first = 0;
    std::uint64_t count = 0;
    auto operator<=>(IdRange const&) const = default;
};
// The ranges of a user in /etc/subuid or /etc/subgid, by name or number (subuid(5)).
[[nodiscard]] std::vector<IdRange> parse_subordinate_ids(std::string_view text,
                                                         std::string_view user, std::uint64_t uid);

struct HostCapabilities {
    enum class FuseDevice { usable, not_permitted, missing };

    std::string kernel_release;
    KernelVersion kernel;
    FuseDevice fuse_device = FuseDevice::missing;
    bool admin = false;                     // CAP_SYS_ADMIN
    std::optional<std::string> fusermount;  // path of fusermount3
    bool fusermount_privileged = false;     // setuid root, or with file capabilities
    bool user_allow_other = false;
    bool io_uring_enabled = false;  // of the fuse module
    std::string no_rings;           // why this process cannot have any; empty: it can
    bool user_namespaces = false;   // unprivileged ones may be made
    bool newuidmap = false;         // newuidmap and newgidmap are there
    std::vector<IdRange> subordinate_uids;
    std::vector<IdRange> subordinate_gids;
    std::string libfuse_version;
    bool libfuse_bundled = false;
};
[[nodiscard]] HostCapabilities probe_host();

// A thing and why it is so.
struct Finding {
    std::string what;
    std::string why;
};

// How `oblea mount` attaches: "mount(2)", "fusermount3" or "none"; the reason has the remedy.
[[nodiscard]] Finding judge_mount(HostCapabilities const& host);
[[nodiscard]] Finding judge_passthrough(HostCapabilities const& host);
// How a writable mount would serve data when nothing is asked for: as `oblea mounts` names it.
[[nodiscard]] Finding judge_data(HostCapabilities const& host);
[[nodiscard]] Finding judge_io_uring(HostCapabilities const& host);
[[nodiscard]] Finding judge_allow_other(HostCapabilities const& host);
// The ids inside `oblea chroot`: "all", "subordinate range", "one" or "none".
[[nodiscard]] Finding judge_ids(HostCapabilities const& host);

}  // namespace oblea::tools
