// SPDX-License-Identifier: MIT
#include "tools/commands/run_options.h"

#include "store/base/limits.h"
#include "store/base/sys.h"
#include "store/image/reference.h"
#include "tools/commands/verify_option.h"
#include "tools/container/cgroup.h"
#include "tools/container/container_volumes.h"
#include "tools/container/mount_options.h"
#include "tools/monitor/init_program.h"
#include "tools/monitor/monitor.h"
#include "tools/monitor/pasta.h"
#include "tools/monitor/published_ports.h"
#include "tools/mount/private_server.h"
#include "tools/mount/served_image.h"
#include "tools/mount/user_namespace.h"
#include "tools/registry/ensure_image.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <unistd.h>

#include <algorithm>
#include <filesystem>

namespace oblea::tools {
namespace {

namespace sys = base::sys;
using base::UniqueFd;

constexpr std::size_t kEnvFileBytesMax = 4U << 20U;

std::vector<std::string> own_environment() {
    std::vector<std::string> list;
    for (char** entry = environ; *entry != nullptr; ++entry) {
        list.emplace_back(*entry);
    }
    return list;
}

unsigned processor_count() {
    return static_cast<unsigned>(std::max(1L, ::sysconf(_SC_NPROCESSORS_ONLN)));
}

// Relative folders are the caller's.
std::string absolute_source(std::string const& source) {
    if (source != "." && !source.starts_with("./") && !source.starts_with("../")) {
        return source;
    }
    std::error_code code;
    return std::filesystem::absolute(source, code).lexically_normal().string();
}

// What does not exist is made, as docker does.
Status add_volume(RunConfig& config, std::string const& typed) {
    std::string text = typed;
    if (auto const colon = text.find(':'); colon != std::string::npos) {
        text = absolute_source(text.substr(0, colon)) + text.substr(colon);
    }
    AskedMount asked = OBLEA_TRY(parse_volume_option(text));
    if (auto* const named = std::get_if<VolumeMount>(&asked)) {
        config.volumes.push_back(std::move(*named));
        return {};
    }
    BindMount bind = std::get<BindMount>(std::move(asked));
    if (!sys::fstatat(AT_FDCWD, bind.source.c_str(), 0).has_value()) {
        OBLEA_TRY(sys::mkdir_all(bind.source, 0755));
    }
    config.binds.push_back(std::move(bind));
    return {};
}

// Unlike with --volume, the source of a bind must be there.
Result<BindMount> existing_source(BindMount bind) {
    bind.source = absolute_source(bind.source);
    if (!bind.source.starts_with('/')) {
        return fail(Errno::einval, "",
                    fmt::format("invalid mount config for type \"bind\": invalid mount path: '{}' "
                                "mount path must be absolute",
                                bind.source));
    }
    if (!sys::fstatat(AT_FDCWD, bind.source.c_str(), 0).has_value()) {
        return fail(Errno::enoent, "",
                    "invalid mount config for type \"bind\": bind source path does not exist: " +
                        bind.source);
    }
    return bind;
}

bool is_mounted_on(RunConfig const& config, std::string const& target) {
    auto const there = [&](auto const& mounts) {
        return std::ranges::any_of(mounts, [&](auto const& one) { return one.target == target; });
    };
    return there(config.binds) || there(config.volumes) || there(config.tmpfs);
}

// What another container has, where nothing else is asked for: CONTAINER[:ro|rw].
Status add_volumes_of(store::Store const& store, RunConfig& config, std::string const& typed) {
    auto const colon = typed.find(':');
    std::string const name = typed.substr(0, colon);
    std::string const mode = colon == std::string::npos ? "rw" : typed.substr(colon + 1);
    if (mode != "ro" && mode != "rw") {
        return fail(Errno::einval, "", "invalid mode: " + mode);
    }
    Container const from = OBLEA_TRY(need_container(store, name));
    RunConfig const theirs = OBLEA_TRY(run_config_of(from));
    auto const add = [&](auto& mine, auto const& mounts) {
        for (auto one : mounts) {
            if (!is_mounted_on(config, one.target)) {
                one.access = mode == "ro" ? BindMount::Access::read_only : one.access;
                mine.push_back(std::move(one));
            }
        }
    };
    add(config.binds, theirs.binds);
    add(config.volumes, theirs.volumes);
    return {};
}

Status add_mount(RunConfig& config, std::string const& typed) {
    AskedMount asked = OBLEA_TRY(parse_mount_option(typed));
    if (auto* const tmpfs = std::get_if<TmpfsMount>(&asked)) {
        config.tmpfs.push_back(std::move(*tmpfs));
    } else if (auto* const volume = std::get_if<VolumeMount>(&asked)) {
        config.volumes.push_back(std::move(*volume));
    } else {
        config.binds.push_back(OBLEA_TRY(existing_source(std::get<BindMount>(std::move(asked)))));
    }
    return {};
}

Result<RunRequest> request_of(store::Store const& store, RunOptions const& options) {
    RunRequest request;
    request.command = options.command;
    request.entrypoint = options.entrypoint;
    request.env = OBLEA_TRY(read_env_files(options.env_files));
    request.env.insert(request.env.end(), options.env.begin(), options.env.end());
    request.caller_env = own_environment();
    request.workdir = options.workdir;
    request.user = options.user;
    request.labels = options.labels;
    request.network = options.network;
    request.publish_all = options.publish_all;
    RunConfig& plain = request.plain;
    plain.hostname = options.hostname;
    for (std::string const& one : options.volumes) {
        OBLEA_TRY(add_volume(plain, one));
    }
    for (std::string const& one : options.mounts) {
        OBLEA_TRY(add_mount(plain, one));
    }
    for (std::string const& one : options.tmpfs) {
        plain.tmpfs.push_back(OBLEA_TRY(parse_tmpfs_mount(one)));
    }
    for (std::string const& one : options.volumes_from) {
        OBLEA_TRY(add_volumes_of(store, plain, one));
    }
    for (std::string const& one : options.devices) {
        plain.devices.push_back(OBLEA_TRY(parse_device(one)));
        OBLEA_TRY(find_device(plain.devices.back()));
    }
    for (std::string const& one : options.ports) {
        auto const ports = OBLEA_TRY(parse_port_mappings(one));
        plain.ports.insert(plain.ports.end(), ports.begin(), ports.end());
    }
    plain.restart = OBLEA_TRY(parse_restart_policy(options.restart));
    if (!options.stop_signal.empty()) {
        plain.stop_signal = OBLEA_TRY(parse_signal(options.stop_signal));
    }
    OBLEA_TRY(check_name_service(options.names));
    plain.names = options.names;
    plain.limits = OBLEA_TRY(plan_limits(options.limits, processor_count()));
    OBLEA_TRY(check_cgroups(plain.limits));
    OBLEA_TRY(plan_capabilities(options.capabilities));
    plain.capabilities = options.capabilities;
    plain.groups = options.groups;
    plain.init = options.init;
    if (options.init) {
        OBLEA_TRY(find_init());
    }
    plain.terminal = options.terminal;
    plain.open_input = options.input;
    plain.read_only = options.read_only;
    plain.remove_at_end = options.remove;
    plain.verify = options.verify;
    return request;
}

// Taken before the container is made, so that of two with one file the second is not made.
Result<UniqueFd> take_id_file(std::string const& path) {
    auto file = sys::open(path, O_WRONLY | O_CREAT | O_EXCL, 0644);
    if (!file.has_value() && file.error().code == Errno::eexist) {
        return fail(Errno::eexist, "",
                    "container ID file found, make sure the other container isn't running or "
                    "delete " +
                        path);
    }
    return with_context(std::move(file), [&] { return "failed to create the container ID file"; });
}

Result<Container> make_without_file(Context const& context, store::Store const& store,
                                    RunOptions const& options, MountedBy mounted_by) {
    RunRequest request = OBLEA_TRY(request_of(store, options));
    if (!request.plain.ports.empty() || request.publish_all) {
        OBLEA_TRY(need_pasta());
    }
    registry::PullPolicy const policy = OBLEA_TRY(registry::parse_pull_policy(options.pull));
    EnsureImageRequest const wanted{
        .image = options.image, .policy = policy, .quiet = options.quiet};
    std::string const image = OBLEA_TRY(ensure_image(context, store, wanted));
    store::Lease const lease = OBLEA_TRY(store.take_lease("create"));
    ResolvedSource const source =
        OBLEA_TRY(resolve_source(store, {.image = image, .container = {}}));
    auto const config = OBLEA_TRY(store.read_blob(source.image, limits::kConfigBytesMax));
    if (!config.has_value() || !source.known.has_value()) {
        return fail(Errno::enoent, "", "the image's config is not in the store: import it again");
    }
    RunConfig run = OBLEA_TRY(plan_run_config(*config, std::move(request)));
    OBLEA_TRY(choose_host_ports(run.ports));
    OBLEA_TRY(name_volumes(run));
    OwnerIds const ids = mounted_by == MountedBy::monitor ? OBLEA_TRY(owner_ids_in_private())
                                                          : OBLEA_TRY(owner_ids_here());
    return create_container(store, {.name = options.name,
                                    .image = *source.known,
                                    .image_name = image,
                                    .owner_ids = ids,
                                    .run = encode_run_config(run).dump(),
                                    .volumes = volumes_wanted(run)});
}

}  // namespace

std::vector<Operand> run_operands(RunOptions& options) {
    return {{.name = "IMAGE", .help = "Name or id of an image", .target = &options.image},
            {.name = "COMMAND",
             .help = "The command and its arguments; default: the image's",
             .target = &options.command,
             .least = 0}};
}

std::vector<Option> run_option_list(RunOptions& options) {
    return {
        {.names = "--name",
         .value_name = "NAME",
         .help = "Name of the container; default: one is made up",
         .target = &options.name},
        {.names = "-i,--interactive",
         .value_name = "",
         .help = "Keep standard input open",
         .target = &options.input},
        {.names = "-t,--tty",
         .value_name = "",
         .help = "Give it a terminal",
         .target = &options.terminal},
        {.names = "--rm",
         .value_name = "",
         .help = "Remove the container when it ends",
         .target = &options.remove},
        {.names = "-e,--env",
         .value_name = "NAME=VALUE",
         .help = "Set a variable; NAME alone hands yours on",
         .target = &options.env},
        {.names = "--env-file",
         .value_name = "FILE",
         .help = "Set the variables of a file, one a line",
         .target = &options.env_files},
        {.names = "-w,--workdir",
         .value_name = "DIR",
         .help = "Working folder inside",
         .target = &options.workdir},
        {.names = "-u,--user",
         .value_name = "USER[:GROUP]",
         .help = "User inside, by name or number",
         .target = &options.user},
        {.names = "-v,--volume",
         .value_name = "[SOURCE:]TARGET[:ro]",
         .help =
             "Show a folder or file of the machine inside, or a volume: SOURCE is its name, and "
             "without it it has none",
         .target = &options.volumes},
        {.names = "--mount",
         .value_name = "type=TYPE,target=DIR[,...]",
         .help = "The same in docker's longer form, with source=DIR and readonly for type=bind and "
                 "type=volume; volume-nocopy; tmpfs-size=SIZE and tmpfs-mode=MODE for type=tmpfs",
         .target = &options.mounts},
        {.names = "--tmpfs",
         .value_name = "DIR[:OPTIONS]",
         .help = "An empty folder in memory, with options of mount(8) such as size=64m,mode=1777",
         .target = &options.tmpfs},
        {.names = "--volumes-from",
         .value_name = "CONTAINER[:ro]",
         .help = "The volumes and folders that another container has, at the same places",
         .target = &options.volumes_from},
        {.names = "--device",
         .value_name = "/dev/NAME[:/TARGET]",
         .help = "A device of the machine more in /dev",
         .target = &options.devices},
        {.names = "-p,--publish",
         .value_name = "[[ADDRESS:][PORT]:]PORT[/udp]",
         .help = "Publish a port of the container, or a range, on the machine; without a port "
                 "there, on one that is free",
         .target = &options.ports},
        {.names = "-P,--publish-all",
         .value_name = "",
         .help = "Publish what the image exposes on ports that are free",
         .target = &options.publish_all},
        {.names = "--entrypoint",
         .value_name = "PROGRAM",
         .help = "In place of the image's entrypoint",
         .target = &options.entrypoint},
        {.names = "--hostname",
         .value_name = "NAME",
         .help = "Its host name; default: the beginning of its id",
         .target = &options.hostname},
        {.names = "--net,--network",
         .value_name = "NETWORK",
         .help = "host: the machine's (default, unless ports are published); none: a loopback only",
         .target = &options.network,
         .choices = {"host", "none"}},
        {.names = "--read-only",
         .value_name = "",
         .help = "Its tree cannot be changed",
         .target = &options.read_only},
        {.names = "--restart",
         .value_name = "POLICY",
         .help = "Start it again when it ends: no, on-failure[:N], always, unless-stopped",
         .target = &options.restart},
        {.names = "--stop-signal",
         .value_name = "SIGNAL",
         .help = "What 'oblea stop' sends; default: the image's, else TERM",
         .target = &options.stop_signal},
        {.names = "--init",
         .value_name = "",
         .help = "Let a small program be the first process, which reaps others and hands signals "
                 "on (the package catatonit)",
         .target = &options.init},
        {.names = "--add-host",
         .value_name = "NAME:ADDRESS",
         .help = "A line more in /etc/hosts",
         .target = &options.names.hosts},
        {.names = "--dns",
         .value_name = "ADDRESS",
         .help = "Name server, in place of the machine's",
         .target = &options.names.servers},
        {.names = "--dns-search",
         .value_name = "DOMAIN",
         .help = "Domain in which names without a dot are looked up; '.' for none",
         .target = &options.names.search},
        {.names = "--dns-option",
         .value_name = "OPTION",
         .help = "Option of resolv.conf, such as ndots:2",
         .target = &options.names.options},
        {.names = "-m,--memory",
         .value_name = "SIZE",
         .help = "Memory that it may take, such as 512m; this and the limits of processors and "
                 "processes want root",
         .target = &options.limits.memory},
        {.names = "--memory-swap",
         .value_name = "SIZE",
         .help = "Memory and swap together; -1 for as much swap as there is; default: twice the "
                 "memory",
         .target = &options.limits.memory_swap},
        {.names = "--cpus",
         .value_name = "NUMBER",
         .help = "Processors that it may take, such as 1.5",
         .target = &options.limits.cpus},
        {.names = "-c,--cpu-shares",
         .value_name = "NUMBER",
         .help = "Its weight where processors are short; others have 1024",
         .target = &options.limits.cpu_shares},
        {.names = "--cpuset-cpus",
         .value_name = "LIST",
         .help = "Processors that it may run on, such as 0-2,4",
         .target = &options.limits.cpuset_cpus},
        {.names = "--pids-limit",
         .value_name = "NUMBER",
         .help = "Processes and threads that it may have; -1: any number",
         .target = &options.limits.pids_limit},
        {.names = "--ulimit",
         .value_name = "NAME=SOFT[:HARD]",
         .help = "Limit of each process, such as nofile=1024:4096",
         .target = &options.limits.ulimits},
        {.names = "--shm-size",
         .value_name = "SIZE",
         .help = "Size of /dev/shm; default 64m",
         .target = &options.limits.shm_size},
        {.names = "--cap-add",
         .value_name = "CAPABILITY",
         .help = "A right of root more, such as NET_ADMIN, or ALL",
         .target = &options.capabilities.add},
        {.names = "--cap-drop",
         .value_name = "CAPABILITY",
         .help = "A right of root less, or ALL",
         .target = &options.capabilities.drop},
        {.names = "--group-add",
         .value_name = "GROUP",
         .help = "A group beside the user's, by name or number",
         .target = &options.groups},
        {.names = "-l,--label",
         .value_name = "NAME=VALUE",
         .help = "Set a label",
         .target = &options.labels},
        {.names = "--cidfile",
         .value_name = "FILE",
         .help = "Write the container's id to a file, which must not exist",
         .target = &options.cidfile},
        pull_policy_option(options.pull),
        verify_option(options.verify),
        {.names = "-q,--quiet",
         .value_name = "",
         .help = "Say nothing of pulling the image",
         .target = &options.quiet},
    };
}

Result<std::vector<std::string>> read_env_files(std::vector<std::string> const& files) {
    std::vector<std::string> env;
    for (std::string const& file : files) {
        std::string const text = OBLEA_TRY(with_context(
            sys::read_file(AT_FDCWD, file.c_str(), kEnvFileBytesMax), [&] { return file; }));
        for (std::string& line : parse_env_file(text)) {
            env.push_back(std::move(line));
        }
    }
    return env;
}

Result<Container> make_container(Context const& context, store::Store const& store,
                                 RunOptions const& options, MountedBy mounted_by) {
    if (options.cidfile.empty()) {
        return make_without_file(context, store, options, mounted_by);
    }
    UniqueFd const file = OBLEA_TRY(take_id_file(options.cidfile));
    auto made = make_without_file(context, store, options, mounted_by);
    if (!made.has_value()) {
        static_cast<void>(sys::unlink_if_exists(AT_FDCWD, options.cidfile.c_str()));
        return made;
    }
    OBLEA_TRY(with_context(sys::write_all(file.get(), base::bytes_of(made->id)),
                           [&] { return options.cidfile; }));
    return made;
}

}  // namespace oblea::tools
