// SPDX-License-Identifier: MIT
// MountInfo as the description of a lease.
#pragma once
#include "tools/mount/mount_image.h"

#include <optional>
#include <string>
#include <string_view>

namespace oblea::tools {

// With the kernel's number of the mount ("0:57"), by which a live mount is told from a dead one's
// successor.
struct DescribedMount {
    MountInfo info;
    std::string device;
    int counters = -1;  // descriptor of the server's counters, in the server
};

std::string encode_mount(DescribedMount const& mount);
// Of a lease's file as the store writes it; nullopt when it is of something else than a mount.
std::optional<DescribedMount> parse_mount(std::string_view lease_description);
// Of encode_mount()'s text.
std::optional<DescribedMount> parse_encoded_mount(std::string_view text);

}  // namespace oblea::tools
