// SPDX-License-Identifier: MIT
#include "tools/container/device.h"

#include "store/base/absence.h"
#include "store/base/sys.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <algorithm>
#include <utility>

namespace oblea::tools {
namespace {

constexpr std::string_view kPermissions = "rwm";

bool are_permissions(std::string_view text) {
    return !text.empty() && text.find_first_not_of(kPermissions) == std::string_view::npos;
}

// The text before the next colon, which goes along with it.
std::string_view take_part(std::string_view& rest) {
    auto const colon = rest.find(':');
    std::string_view const part = rest.substr(0, colon);
    rest = colon == std::string_view::npos ? std::string_view{} : rest.substr(colon + 1);
    return part;
}

}  // namespace

Result<Device> parse_device(std::string_view typed) {
    std::string_view rest = typed;
    std::string_view const source = take_part(rest);
    std::string_view target = take_part(rest);
    std::string_view permissions = take_part(rest);
    if (permissions.empty() && are_permissions(target)) {
        permissions = std::exchange(target, {});
    }
    if (target.empty()) {
        target = source;
    }
    if (!source.starts_with('/') || !target.starts_with('/') ||
        std::ranges::count(typed, ':') > 2 ||
        (!permissions.empty() && !are_permissions(permissions))) {
        return fail(
            Errno::einval, "",
            fmt::format("invalid device specification: {}: write /dev/NAME[:/TARGET]", typed));
    }
    bool const all = std::ranges::all_of(kPermissions, [&](char one) {
        return permissions.empty() || permissions.find(one) != std::string_view::npos;
    });
    if (!all) {
        return fail(Errno::einval, "", fmt::format("{}: a device is given with all of rwm", typed));
    }
    return Device{.source = std::string{source}, .target = std::string{target}};
}

std::string to_string(Device const& device) {
    return fmt::format("{}:{}:{}", device.source, device.target, kPermissions);
}

Result<DeviceNumbers> find_device(Device const& device) {
    auto const wrong = [&](Errno code, char const* why) {
        return fail(code, "",
                    fmt::format("error gathering device information while adding custom device "
                                "\"{}\": {}",
                                device.source, why));
    };
    auto const there = base::sys::fstatat(AT_FDCWD, device.source.c_str(), 0);  // links followed
    if (!there.has_value()) {
        return base::is_absent(there.error().code)
                   ? Result<DeviceNumbers>{wrong(Errno::enoent, "no such file or directory")}
                   : Result<DeviceNumbers>{std::unexpected<Error>(there.error())};
    }
    if (!S_ISCHR(there->st_mode) && !S_ISBLK(there->st_mode)) {
        return wrong(Errno::einval, "not a device node");
    }
    return DeviceNumbers{.type = S_ISCHR(there->st_mode) ? DeviceNumbers::Type::character
                                                         : DeviceNumbers::Type::block,
                         .major = gnu_dev_major(there->st_rdev),
                         .minor = gnu_dev_minor(there->st_rdev)};
}

}  // namespace oblea::tools
