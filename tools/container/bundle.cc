// SPDX-License-Identifier: MIT
#include "tools/container/bundle.h"

#include "store/image/json_fields.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>

namespace oblea::tools {
namespace {

using nlohmann::json;

constexpr std::array kMaskedPaths{
    "/proc/asound",     "/proc/acpi",        "/proc/interrupts",
    "/proc/kcore",      "/proc/keys",        "/proc/latency_stats",
    "/proc/timer_list", "/proc/timer_stats", "/proc/sched_debug",
    "/proc/scsi",       "/sys/firmware",     "/sys/devices/virtual/powercap"};
constexpr std::array kReadOnlyPaths{"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys",
                                    "/proc/sysrq-trigger"};

json mount(char const* target, char const* type, std::string source,
           std::vector<std::string> options) {
    return {{"destination", target},
            {"type", type},
            {"source", std::move(source)},
            {"options", std::move(options)}};
}

json bind(BindMount const& from) {
    char const* access = from.access == BindMount::Access::read_only ? "ro" : "rw";
    std::vector<std::string> options{"rbind", "rprivate", "nodev", access};
    if (from.kind == BindMount::Kind::folder) {
        options.emplace_back("rnodev");  // for what is mounted below; crun takes a file amiss
    }
    return mount(from.target.c_str(), "bind", from.source, std::move(options));
}

json bind_device(Device const& device) {
    return mount(device.target.c_str(), "bind", device.source, {"bind", "rprivate", "rw"});
}

json harmless_device(std::string const& name) {
    return bind_device({.source = "/dev/" + name, .target = "/dev/" + name});
}

// For a runtime that makes a cgroup: it allows the usual ones itself.
json device_rules(std::vector<DeviceNumbers> const& allowed) {
    json rules = json::array({{{"allow", false}, {"access", "rwm"}}});
    for (DeviceNumbers const& device : allowed) {
        rules.push_back({{"allow", true},
                         {"type", device.type == DeviceNumbers::Type::block ? "b" : "c"},
                         {"major", device.major},
                         {"minor", device.minor},
                         {"access", "rwm"}});
    }
    return rules;
}

// What was asked for, folders before what is mounted in them.
std::vector<json> asked_mounts(RunConfig const& config) {
    std::vector<json> list;
    auto const add = [&](TmpfsMount const& asked) {
        list.push_back(mount(asked.target.c_str(), "tmpfs", "tmpfs", asked.options));
    };
    std::ranges::transform(config.binds, std::back_inserter(list), bind);
    std::ranges::for_each(config.tmpfs, add);
    if (config.build.has_value()) {
        std::ranges::for_each(config.build->tmpfs, add);
    }
    std::ranges::stable_sort(list, {}, [](json const& one) {
        return std::ranges::count(one["destination"].get_ref<std::string const&>(), '/');
    });
    return list;
}

json mounts_of(BundleFacts const& facts) {
    std::vector<std::string> pts{"nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620"};
    if (facts.ids == OwnerIds::real) {
        pts.emplace_back("gid=5");  // tty
    }
    json mounts = json::array(
        {mount("/proc", "proc", "proc", {"nosuid", "noexec", "nodev"}),
         mount("/dev", "tmpfs", "tmpfs",
               {"nosuid", "nodev", "strictatime", "mode=755", "size=65536k"}),
         mount("/dev/pts", "devpts", "devpts", std::move(pts)),
         mount("/dev/shm", "tmpfs", "shm",
               {"nosuid", "noexec", "nodev", "mode=1777",
                fmt::format("size={}k", (facts.config.limits.shm_bytes + 1023) / 1024)}),
         mount("/dev/mqueue", "mqueue", "mqueue", {"nosuid", "noexec", "nodev"})});
    std::ranges::transform(facts.devices, std::back_inserter(mounts), harmless_device);
    std::ranges::transform(facts.config.devices, std::back_inserter(mounts), bind_device);
    // A sysfs of its own can only be mounted by the owner of the network namespace.
    bool const own_sysfs =
        facts.rights == Rights::machine_root || facts.config.network != Network::host;
    mounts.push_back(own_sysfs
                         ? mount("/sys", "sysfs", "sysfs", {"nosuid", "noexec", "nodev", "ro"})
                         : mount("/sys", "bind", "/sys",
                                 {"rbind", "rprivate", "nosuid", "noexec", "nodev", "ro"}));
    for (BindMount const& file : facts.files) {
        mounts.push_back(bind(file));
    }
    for (json& asked : asked_mounts(facts.config)) {
        mounts.push_back(std::move(asked));
    }
    return mounts;
}

json linux_of(BundleFacts const& facts, json namespaces) {
    json linux = {{"maskedPaths", kMaskedPaths}, {"readonlyPaths", kReadOnlyPaths}};
    if (facts.user_namespace.has_value()) {
        auto const map = [](std::uint32_t outside) {
            return json::array({{{"containerID", 0}, {"hostID", outside}, {"size", 1}}});
        };
        namespaces.push_back({{"type", "user"}});
        linux["uidMappings"] = map(facts.user_namespace->uid);
        linux["gidMappings"] = map(facts.user_namespace->gid);
    }
    if (!facts.cgroup.empty()) {
        linux["cgroupsPath"] = facts.cgroup;
    }
    if (facts.rights == Rights::machine_root) {
        linux["resources"] = {{"devices", device_rules(facts.allowed)}};
    }
    linux["namespaces"] = std::move(namespaces);
    return linux;
}

json namespaces_of(RunConfig const& config) {
    json list = json::array();
    for (char const* type : {"pid", "ipc", "uts", "mount"}) {
        list.push_back({{"type", type}});
    }
    if (config.network != Network::host) {
        list.push_back({{"type", "network"}});
    }
    return list;
}

json process_of(ProcessFacts const& facts) {
    std::vector<std::string> env = facts.env;
    auto const add = [&](std::string const& name, std::string const& value) {
        bool const there = std::ranges::any_of(
            env, [&](std::string const& one) { return one.starts_with(name + '='); });
        if (!there) {
            env.push_back(name + '=' + value);
        }
    };
    if (!facts.hostname.empty()) {
        add("HOSTNAME", facts.hostname);
    }
    add("HOME", facts.identity.home);
    json user = {{"uid", facts.identity.uid}, {"gid", facts.identity.gid}};
    json limits = json::array();
    for (Ulimit const& limit : facts.ulimits) {
        limits.push_back(
            {{"type", rlimit_name(limit.name)}, {"soft", limit.soft}, {"hard", limit.hard}});
    }
    if (!facts.identity.groups.empty()) {
        user["additionalGids"] = facts.identity.groups;
    }
    // Only root has them to begin with; others may get them by set-user-id programs.
    bool const root = facts.identity.uid == 0;
    std::vector<std::string> const held = root ? facts.capabilities : std::vector<std::string>{};
    return {{"terminal", facts.terminal},
            {"user", std::move(user)},
            {"args", facts.arguments},
            {"env", std::move(env)},
            {"cwd", facts.workdir.empty() ? "/" : facts.workdir},
            {"rlimits", std::move(limits)},
            {"capabilities",
             {{"bounding", facts.capabilities}, {"effective", held}, {"permitted", held}}}};
}

}  // namespace

std::string make_process_config(ProcessFacts const& facts) {
    return store::json_fields::encode(process_of(facts), store::json_fields::Layout::indented);
}

std::string make_bundle_config(BundleFacts const& facts) {
    RunConfig const& config = facts.config;
    // A step of a build must not see what is another each time.
    std::string const told = config.build.has_value() ? std::string{} : facts.hostname;
    json const document = {{"ociVersion", "1.0.2"},
                           {"root", {{"path", facts.root}, {"readonly", config.read_only}}},
                           {"hostname", facts.hostname},
                           {"process", process_of({.arguments = config.arguments(),
                                                   .env = config.env,
                                                   .workdir = config.workdir,
                                                   .identity = facts.identity,
                                                   .capabilities = facts.capabilities,
                                                   .terminal = config.terminal,
                                                   .ulimits = config.limits.ulimits,
                                                   .hostname = told})},
                           {"mounts", mounts_of(facts)},
                           {"annotations", config.labels},
                           {"linux", linux_of(facts, namespaces_of(config))}};
    return store::json_fields::encode(document, store::json_fields::Layout::indented) + '\n';
}

}  // namespace oblea::tools
