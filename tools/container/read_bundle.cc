// SPDX-License-Identifier: MIT
#include "tools/container/read_bundle.h"

#include "store/base/limits.h"
#include "store/image/json_fields.h"
#include "tools/container/capabilities.h"
#include "tools/container/resource_limits.h"

#include <linux/mount.h>
#include <nlohmann/json.hpp>
#include <sys/mount.h>

#include <algorithm>
#include <array>

namespace oblea::tools {
namespace {

namespace fields = store::json_fields;
using nlohmann::json;

constexpr char const* kBundleConfig = "config.json";

Result<std::uint64_t> capabilities(json const& process, char const* set) {
    std::uint64_t bits = 0;
    json const* const sets = OBLEA_TRY(fields::object_if(process, "capabilities", kBundleConfig));
    if (sets == nullptr) {
        return bits;
    }
    auto const names = OBLEA_TRY(fields::texts_if(*sets, set, kBundleConfig));
    for (std::string const& name : names) {
        auto const number = capability_number(name);
        if (!number.has_value()) {
            return fields::invalid(kBundleConfig, "unknown capability " + name);
        }
        bits |= std::uint64_t{1} << static_cast<unsigned>(*number);
    }
    return bits;
}

Result<std::uint32_t> id_in(json const& user, char const* key) {
    std::uint64_t const id = OBLEA_TRY(fields::number(user, key, kBundleConfig));
    if (id >= UINT32_MAX) {
        return fields::invalid(kBundleConfig, std::string{key} + " is too large");
    }
    return static_cast<std::uint32_t>(id);
}

Result<std::vector<std::uint32_t>> groups_of(json const& user) {
    std::vector<std::uint32_t> groups;
    json const* const list = OBLEA_TRY(fields::array_if(user, "additionalGids", kBundleConfig));
    if (list != nullptr) {
        for (json const& one : *list) {
            if (!one.is_number_unsigned()) {
                return fields::invalid(kBundleConfig,
                                       "additionalGids has something else than numbers");
            }
            groups.push_back(one.get<std::uint32_t>());
        }
    }
    return groups;
}

Result<std::vector<BundleProcess::Limit>> limits_of(json const& process) {
    std::vector<BundleProcess::Limit> limits;
    json const* const list = OBLEA_TRY(fields::array_if(process, "rlimits", kBundleConfig));
    if (list == nullptr) {
        return limits;
    }
    for (json const& one : *list) {
        BundleProcess::Limit limit;
        std::string const name = OBLEA_TRY(fields::text(one, "type", kBundleConfig));
        limit.number = OBLEA_TRY(rlimit_number(name));
        limit.soft = OBLEA_TRY(fields::number(one, "soft", kBundleConfig));
        limit.hard = OBLEA_TRY(fields::number(one, "hard", kBundleConfig));
        limits.push_back(limit);
    }
    return limits;
}

Result<BundleProcess> process_from(json const& object) {
    BundleProcess process;
    process.arguments = OBLEA_TRY(fields::texts_if(object, "args", kBundleConfig));
    if (process.arguments.empty()) {
        return fields::invalid(kBundleConfig, "args is empty");
    }
    process.env = OBLEA_TRY(fields::texts_if(object, "env", kBundleConfig));
    process.workdir = OBLEA_TRY(fields::text(object, "cwd", kBundleConfig));
    process.terminal = OBLEA_TRY(fields::flag(object, "terminal", kBundleConfig));
    json const* const user = OBLEA_TRY(fields::object_if(object, "user", kBundleConfig));
    if (user == nullptr) {
        return fields::invalid(kBundleConfig, "user is missing");
    }
    process.uid = OBLEA_TRY(id_in(*user, "uid"));
    process.gid = OBLEA_TRY(id_in(*user, "gid"));
    process.groups = OBLEA_TRY(groups_of(*user));
    process.limits = OBLEA_TRY(limits_of(object));
    process.bounding = OBLEA_TRY(capabilities(object, "bounding"));
    process.effective = OBLEA_TRY(capabilities(object, "effective"));
    return process;
}

// An option that is a flag, of a new mount and of what is shown in a further place.
struct MountFlag {
    char const* name;
    std::uint64_t mount;
    std::uint64_t attribute;
};
constexpr std::array kMountFlags{MountFlag{"ro", MS_RDONLY, MOUNT_ATTR_RDONLY},
                                 MountFlag{"nosuid", MS_NOSUID, MOUNT_ATTR_NOSUID},
                                 MountFlag{"nodev", MS_NODEV, MOUNT_ATTR_NODEV},
                                 MountFlag{"noexec", MS_NOEXEC, MOUNT_ATTR_NOEXEC},
                                 MountFlag{"noatime", MS_NOATIME, MOUNT_ATTR_NOATIME},
                                 MountFlag{"strictatime", MS_STRICTATIME, MOUNT_ATTR_STRICTATIME},
                                 // What is so in any case.
                                 MountFlag{"rw", 0, 0}, MountFlag{"bind", 0, 0},
                                 MountFlag{"rbind", 0, 0}, MountFlag{"rprivate", 0, 0},
                                 // It holds for what is mounted below as well.
                                 MountFlag{"rnodev", 0, MOUNT_ATTR_NODEV}};

Result<BundleMount> mount_from(json const& object) {
    if (!object.is_object()) {
        return fields::invalid(kBundleConfig, "mounts has something else than objects");
    }
    BundleMount mount;
    mount.target = OBLEA_TRY(fields::text(object, "destination", kBundleConfig));
    mount.source = OBLEA_TRY(fields::text(object, "source", kBundleConfig));
    mount.type = OBLEA_TRY(fields::text(object, "type", kBundleConfig));
    bool const shown = mount.type == "bind";
    if (shown) {
        mount.type.clear();
    }
    auto const options = OBLEA_TRY(fields::texts_if(object, "options", kBundleConfig));
    for (std::string const& option : options) {
        auto const* const flag = std::ranges::find(kMountFlags, option, &MountFlag::name);
        if (flag != kMountFlags.end()) {
            mount.flags |= shown ? flag->attribute : flag->mount;
        } else if (shown) {
            return fields::invalid(kBundleConfig,
                                   "unknown option " + option + " of " + mount.target);
        } else {
            mount.data += (mount.data.empty() ? "" : ",") + option;
        }
    }
    return mount;
}

Result<Bundle> bundle_from(json const& document) {
    Bundle bundle;
    json const* const root = OBLEA_TRY(fields::object_if(document, "root", kBundleConfig));
    json const* const process = OBLEA_TRY(fields::object_if(document, "process", kBundleConfig));
    json const* const linux = OBLEA_TRY(fields::object_if(document, "linux", kBundleConfig));
    if (root == nullptr || process == nullptr || linux == nullptr) {
        return fields::invalid(kBundleConfig, "root, process or linux is missing");
    }
    bundle.root = OBLEA_TRY(fields::text(*root, "path", kBundleConfig));
    bool const read_only = OBLEA_TRY(fields::flag(*root, "readonly", kBundleConfig));
    bundle.access = read_only ? Bundle::Access::read_only : Bundle::Access::read_write;
    bundle.hostname = OBLEA_TRY(fields::text(document, "hostname", kBundleConfig));
    bundle.process = OBLEA_TRY(process_from(*process));
    json const* const mounts = OBLEA_TRY(fields::array(document, "mounts", kBundleConfig));
    for (json const& one : *mounts) {
        bundle.mounts.push_back(OBLEA_TRY(mount_from(one)));
    }
    bundle.masked_paths = OBLEA_TRY(fields::texts_if(*linux, "maskedPaths", kBundleConfig));
    bundle.read_only_paths = OBLEA_TRY(fields::texts_if(*linux, "readonlyPaths", kBundleConfig));
    json const* const namespaces = OBLEA_TRY(fields::array(*linux, "namespaces", kBundleConfig));
    bool const own_network = std::ranges::any_of(*namespaces, [](json const& one) {
        return one.is_object() && one.value("type", "") == "network";
    });
    bundle.network = own_network ? Bundle::Network::own : Bundle::Network::machine;
    return bundle;
}

}  // namespace

Result<Bundle> read_bundle(std::string_view config) {
    json const document =
        OBLEA_TRY(fields::parse_object(config, kBundleConfig, limits::kConfigBytesMax));
    return bundle_from(document);
}

Result<BundleProcess> read_bundle_process(std::string_view process) {
    json const document =
        OBLEA_TRY(fields::parse_object(process, kBundleConfig, limits::kConfigBytesMax));
    return process_from(document);
}

}  // namespace oblea::tools
