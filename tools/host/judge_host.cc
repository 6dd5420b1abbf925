// SPDX-License-Identifier: MIT
#include "tools/host/host_capabilities.h"

#include "fs/fuse/data_mode.h"

#include <fmt/format.h>

namespace oblea::tools {

namespace {

bool libfuse_at_least(std::string_view version, KernelVersion least) {
    auto const have = parse_kernel_version(version);
    return have.has_value() && *have >= least;
}

}  // namespace

Finding judge_mount(HostCapabilities const& host) {
    switch (host.fuse_device) {
    case HostCapabilities::FuseDevice::missing:
        return {.what = "none",
                .why = "/dev/fuse is missing: load the kernel's module (modprobe fuse), or give it "
                       "to the container (--device /dev/fuse); 'oblea unpack' works without"};
    case HostCapabilities::FuseDevice::not_permitted:
        return {.what = "none",
                .why = "/dev/fuse may not be opened by this user: its mode should be 0666; 'oblea "
                       "unpack' works without"};
    case HostCapabilities::FuseDevice::usable:
        break;
    }
    if (host.admin) {
        return {.what = "mount(2)", .why = "this process has CAP_SYS_ADMIN"};
    }
    if (!host.fusermount.has_value()) {
        return {.what = "none",
                .why = "fusermount3 is missing, which mounts for users: install the package "
                       "fuse3; 'oblea unpack' works without"};
    }
    if (!host.fusermount_privileged) {
        return {.what = "none",
                .why = *host.fusermount + " is not setuid root: chmod u+s it, or install the "
                                          "package fuse3; 'oblea unpack' works without"};
    }
    return {.what = "fusermount3", .why = "an ordinary user mounts by " + *host.fusermount};
}

Finding judge_passthrough(HostCapabilities const& host) {
    if (host.kernel < kPassthroughSince) {
        return {.what = "no",
                .why = fmt::format("Linux {}.{} or newer has it", kPassthroughSince.major,
                                   kPassthroughSince.minor)};
    }
    if (!host.admin) {
        return {.what = "no", .why = "it needs CAP_SYS_ADMIN"};
    }
    if (!libfuse_at_least(host.libfuse_version, {.major = 3, .minor = 17})) {
        return {.what = "no", .why = "libfuse 3.17 or newer has it"};
    }
    return {.what = "yes", .why = "kernel, libfuse and privilege allow it"};
}

Finding judge_data(HostCapabilities const& host) {
    Finding const passthrough = judge_passthrough(host);
    auto const choice =
        fs::decide_data(fs::MountOptions::Data::automatic,
                        {.writable = fs::DataFacts::Writable::yes,
                         .no_passthrough = passthrough.what == "yes" ? "" : passthrough.why});
    return choice.has_value()
               ? Finding{.what = std::string{fs::name_of(choice->mode)}, .why = choice->reason}
               : Finding{.what = "none", .why = choice.error().message()};
}

Finding judge_io_uring(HostCapabilities const& host) {
    if (host.kernel < kIoUringSince) {
        return {.what = "no",
                .why = fmt::format("Linux {}.{} or newer has it", kIoUringSince.major,
                                   kIoUringSince.minor)};
    }
    if (!host.io_uring_enabled) {
        return {.what = "no",
                .why = "the kernel has it switched off: echo Y > "
                       "/sys/module/fuse/parameters/enable_uring"};
    }
    if (!host.no_rings.empty()) {
        return {.what = "no", .why = host.no_rings};
    }
    return {.what = "yes", .why = "the kernel has it, and it is switched on"};
}

Finding judge_allow_other(HostCapabilities const& host) {
    if (host.admin) {
        return {.what = "yes", .why = "this process has CAP_SYS_ADMIN"};
    }
    if (host.user_allow_other) {
        return {.what = "yes", .why = "/etc/fuse.conf has user_allow_other"};
    }
    return {.what = "no", .why = "/etc/fuse.conf lacks the line user_allow_other"};
}

Finding judge_ids(HostCapabilities const& host) {
    if (host.admin) {
        return {.what = "all", .why = "this process has CAP_SYS_ADMIN"};
    }
    if (!host.user_namespaces) {
        return {.what = "none",
                .why = "user namespaces are not permitted here (sysctl "
                       "kernel.unprivileged_userns_clone, user.max_user_namespaces)"};
    }
    if (host.subordinate_uids.empty() || host.subordinate_gids.empty()) {
        return {.what = "one",
                .why = "/etc/subuid and /etc/subgid have no range for this user: usermod "
                       "--add-subuids 100000-165535 --add-subgids 100000-165535 USER"};
    }
    if (!host.newuidmap) {
        return {.what = "one", .why = "newuidmap is missing: install the package uidmap"};
    }
    return {.what = "subordinate range",
            .why = fmt::format("{} ids from {} on", host.subordinate_uids.front().count,
                               host.subordinate_uids.front().first)};
}

}  // namespace oblea::tools
