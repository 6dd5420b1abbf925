// SPDX-License-Identifier: MIT
#include "tools/container/inspect_container.h"

#include "tools/container/container_size.h"
#include "tools/container/container_state.h"
#include "tools/container/run_config.h"
#include "tools/mount/mount_image.h"
#include "tools/mount/volumes.h"

#include <fmt/format.h>

#include <algorithm>

namespace oblea::tools {
namespace {

using nlohmann::ordered_json;

constexpr char const* kNever = "0001-01-01T00:00:00Z";

std::string or_never(std::string const& time) {
    return time.empty() ? kNever : time;
}

ordered_json state_json(ContainerState const& state) {
    return {{"Status", status_name(state.status)},
            {"Running", state.is_active()},
            {"Paused", state.status == ContainerState::Status::paused},
            {"Restarting", state.status == ContainerState::Status::restarting},
            {"OOMKilled", state.oom_killed},
            {"Dead", false},
            {"Pid", state.has_processes() ? state.init_pid : 0},
            {"ExitCode", state.exit_code},
            {"Error", state.error},
            {"StartedAt", or_never(state.started)},
            {"FinishedAt", or_never(state.finished)}};
}

ordered_json mounts_json(store::Store const& store, RunConfig const& run) {
    ordered_json list = ordered_json::array();
    for (BindMount const& bind : run.binds) {
        bool const writable = bind.access == BindMount::Access::read_write;
        list.push_back({{"Type", "bind"},
                        {"Source", bind.source},
                        {"Destination", bind.target},
                        {"Mode", writable ? "" : "ro"},
                        {"RW", writable},
                        {"Propagation", "rprivate"}});
    }
    for (VolumeMount const& volume : run.volumes) {
        bool const writable = volume.access == BindMount::Access::read_write;
        list.push_back(
            {{"Type", "volume"},
             {"Name", volume.name},
             {"Source",
              store.path() + '/' + Volume{.name = volume.name, .created = {}, .labels = {}}.data()},
             {"Destination", volume.target},
             {"Driver", "local"},
             {"Mode", writable ? "" : "ro"},
             {"RW", writable},
             {"Propagation", ""}});
    }
    for (TmpfsMount const& tmpfs : run.tmpfs) {
        list.push_back({{"Type", "tmpfs"},
                        {"Source", ""},
                        {"Destination", tmpfs.target},
                        {"Mode", ""},
                        {"RW", std::ranges::find(tmpfs.options, "ro") == tmpfs.options.end()},
                        {"Propagation", ""}});
    }
    return list;
}

ordered_json ports_json(RunConfig const& run) {
    ordered_json ports = ordered_json::object();
    for (PortMapping const& port : run.ports) {
        bool const tcp = port.protocol == PortMapping::Protocol::tcp;
        std::string const key = fmt::format("{}/{}", port.container_port, tcp ? "tcp" : "udp");
        ports[key].push_back(
            {{"HostIp", port.host_address}, {"HostPort", std::to_string(port.host_port)}});
    }
    return ports;
}

ordered_json config_json(Container const& container, RunConfig const& run) {
    ordered_json volumes = ordered_json::object();
    for (VolumeMount const& volume : run.volumes) {
        if (volume.named == VolumeMount::Named::by_nobody) {
            volumes[volume.target] = ordered_json::object();
        }
    }
    return {{"Hostname", hostname_of(run, container.id)},
            {"User", run.user},
            {"Tty", run.terminal},
            {"OpenStdin", run.open_input},
            {"Env", run.env},
            {"Cmd", run.command},
            {"Image", container.image_name},
            {"Volumes", std::move(volumes)},
            {"WorkingDir", run.workdir},
            {"Entrypoint", run.entrypoint},
            {"Labels", run.labels},
            {"StopSignal", signal_name(run.stop_signal)}};
}

char const* network_mode(RunConfig const& run) {
    return run.network == Network::host ? "host" : run.network == Network::none ? "none" : "pasta";
}

// No container has an address that the machine does not have, as with docker's network "host".
ordered_json network_json(RunConfig const& run, ContainerState const& state) {
    return {{"Ports", state.is_active() ? ports_json(run) : ordered_json::object()},
            {"IPAddress", ""},
            {"Networks", {{network_mode(run), {{"IPAddress", ""}, {"Gateway", ""}}}}}};
}

// Docker's: both together, -1 for as much swap as there is.
std::int64_t memory_and_swap(ResourceLimits const& limits) {
    switch (limits.swap) {
    case ResourceLimits::Swap::unlimited:
        return -1;
    case ResourceLimits::Swap::limited:
        return static_cast<std::int64_t>(limits.memory_bytes + limits.swap_bytes);
    case ResourceLimits::Swap::as_memory:
        break;
    }
    return static_cast<std::int64_t>(limits.memory_bytes) * 2;
}

ordered_json ulimits_json(ResourceLimits const& limits) {
    ordered_json list = ordered_json::array();
    for (Ulimit const& limit : limits.ulimits) {
        list.push_back({{"Name", limit.name},
                        {"Hard", static_cast<std::int64_t>(limit.hard)},
                        {"Soft", static_cast<std::int64_t>(limit.soft)}});
    }
    return list;
}

ordered_json host_config_json(RunConfig const& run) {
    char const* const network = network_mode(run);
    std::string const policy = to_string(run.restart);
    ordered_json binds = ordered_json::array();
    for (BindMount const& bind : run.binds) {
        binds.push_back(fmt::format("{}:{}{}", bind.source, bind.target,
                                    bind.access == BindMount::Access::read_only ? ":ro" : ""));
    }
    for (VolumeMount const& volume : run.volumes) {
        if (volume.named == VolumeMount::Named::by_user) {
            binds.push_back(
                fmt::format("{}:{}{}", volume.name, volume.target,
                            volume.access == BindMount::Access::read_only ? ":ro" : ""));
        }
    }
    ordered_json tmpfs = ordered_json::object();
    for (TmpfsMount const& one : run.tmpfs) {
        tmpfs[one.target] = fmt::format("{}", fmt::join(one.options, ","));
    }
    ordered_json devices = ordered_json::array();
    for (Device const& device : run.devices) {
        devices.push_back({{"PathOnHost", device.source},
                           {"PathInContainer", device.target},
                           {"CgroupPermissions", "rwm"}});
    }
    return {
        {"Binds", std::move(binds)},
        {"Tmpfs", std::move(tmpfs)},
        {"Devices", std::move(devices)},
        {"LogConfig", {{"Type", "json-file"}, {"Config", ordered_json::object()}}},
        {"NetworkMode", network},
        {"PortBindings", ports_json(run)},
        {"RestartPolicy",
         {{"Name", policy.substr(0, policy.find(':'))},
          {"MaximumRetryCount", run.restart.retries_max}}},
        {"Init", run.init},
        {"CapAdd", run.capabilities.add},
        {"CapDrop", run.capabilities.drop},
        {"Dns", run.names.servers},
        {"DnsOptions", run.names.options},
        {"DnsSearch", run.names.search},
        {"ExtraHosts", run.names.hosts},
        {"GroupAdd", run.groups},
        {"ShmSize", run.limits.shm_bytes},
        {"CpuShares", run.limits.cpu_shares},
        {"Memory", run.limits.memory_bytes},
        {"MemorySwap", memory_and_swap(run.limits)},
        {"NanoCpus", run.limits.nano_cpus},
        {"CpusetCpus", run.limits.cpuset_cpus},
        {"PidsLimit", run.limits.pids == 0 ? ordered_json(nullptr) : ordered_json(run.limits.pids)},
        {"Ulimits", ulimits_json(run.limits)},
        {"AutoRemove", run.remove_at_end},
        {"ReadonlyRootfs", run.read_only}};
}

}  // namespace

Result<ordered_json> describe_container(store::Store const& store, Container const& container,
                                        ShowSize size) {
    auto const mounts = OBLEA_TRY(list_mounts(store));
    auto const mount = std::ranges::find(mounts, container.id, &MountInfo::container_id);
    ContainerState state = OBLEA_TRY(observe_state(store, container));
    if (mount != mounts.end() && !state.is_active()) {
        state.status = ContainerState::Status::running;
        state.started = mount->started;
        state.init_pid = mount->pid;
    }
    RunConfig run;
    if (!container.run.empty()) {
        run = OBLEA_TRY(parse_run_config(container.run));
    }
    auto const arguments = run.arguments();
    ordered_json layers = ordered_json::array();
    for (auto const& layer : container.layers) {
        layers.push_back(layer.to_string());
    }
    std::string const folder = store.path() + '/' + container.folder();
    ordered_json result = {
        {"Id", container.id},
        {"Created", container.created},
        {"Path", arguments.empty() ? "" : arguments.front()},
        {"Args", std::vector<std::string>{arguments.begin() + (arguments.empty() ? 0 : 1),
                                          arguments.end()}},
        {"State", state_json(state)},
        {"Image", container.image.to_string()},
        {"LogPath", container.run.empty() ? "" : folder + "/output.log"},
        {"Name", '/' + container.name},
        {"RestartCount", state.restarts},
        {"Driver", "oblea"},
        {"HostConfig", host_config_json(run)},
        {"GraphDriver",
         {{"Name", "oblea"},
          {"Data",
           {{"Layers", std::move(layers)},
            {"UpperDir", folder + "/upper"},
            {"WorkDir", folder + "/work"},
            {"MergedDir", mount != mounts.end() ? mount->mount_point : ""}}}}},
        {"Mounts", mounts_json(store, run)},
        {"Config", config_json(container, run)},
        {"NetworkSettings", network_json(run, state)}};
    if (size == ShowSize::yes) {
        ContainerSize const sizes = OBLEA_TRY(container_size(store, container));
        result["SizeRw"] = sizes.own;
        result["SizeRootFs"] = sizes.own + sizes.image;
    }
    return result;
}

}  // namespace oblea::tools
