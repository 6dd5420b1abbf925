// SPDX-License-Identifier: MIT
// What runs in a container and how: settled when the container is made, kept in container.json.
//
// Pure. Spec: OCI image-spec config.md "config"; docker's `run`.
#pragma once
#include "store/base/error.h"
#include "tools/container/bind_mount.h"
#include "tools/container/build_run.h"
#include "tools/container/capabilities.h"
#include "tools/container/device.h"
#include "tools/container/name_service.h"
#include "tools/container/resource_limits.h"
#include "tools/container/tmpfs_mount.h"
#include "tools/container/volume_mount.h"
#include "tools/mount/command_plan.h"

#include <nlohmann/json_fwd.hpp>

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace oblea::tools {

struct PortMapping {
    std::string host_address;     // empty: all
    std::uint16_t host_port = 0;  // 0: one that is free, while none has been chosen
    std::uint16_t container_port = 0;
    enum class Protocol { tcp, udp } protocol = Protocol::tcp;

    [[nodiscard]] std::string to_string() const;  // "0.0.0.0:8080->80/tcp"
    auto operator<=>(PortMapping const&) const = default;
};

struct RestartPolicy {
    enum class Kind { no, on_failure, always, unless_stopped } kind = Kind::no;
    unsigned retries_max = 0;  // on_failure; 0: any number
    auto operator<=>(RestartPolicy const&) const = default;
};

enum class Network {
    host,       // the machine's own
    none,       // one with nothing but a loopback interface
    published,  // one of its own, connected by pasta, with published ports
};

struct RunConfig {
    std::vector<std::string> entrypoint;
    std::vector<std::string> command;
    std::vector<std::string> env;  // complete, but for HOME
    std::string workdir;
    std::string user;
    std::string hostname;  // empty: the beginning of the id
    std::map<std::string, std::string> labels;
    std::vector<BindMount> binds;
    std::vector<VolumeMount> volumes;
    std::vector<TmpfsMount> tmpfs;
    std::vector<Device> devices;
    std::vector<PortMapping> ports;
    Network network = Network::host;
    NameService names;
    ResourceLimits limits;
    CapabilityWishes capabilities;
    std::vector<std::string> groups;  // beside the user's, by name or number
    RestartPolicy restart;
    int stop_signal = 15;
    bool terminal = false;
    bool open_input = false;  // -i
    bool init = false;        // a program that reaps and hands signals on is the first process
    bool read_only = false;
    bool remove_at_end = false;
    bool verify = false;                 // files of the image are held against their digests
    std::optional<BuildRun> build = {};  // it runs a step of a build

    [[nodiscard]] std::vector<std::string> arguments() const;  // entrypoint and command
    bool operator==(RunConfig const&) const = default;
};

// Of container.json's "run" and back. Errors: EINVAL.
nlohmann::json encode_run_config(RunConfig const& config);
Result<RunConfig> parse_run_config(std::string_view json);

// As typed on a command line; nothing else is in these texts. Errors: EINVAL with the form wanted.
// [[ADDRESS:][HOST]:]PORT[/PROTOCOL]; HOST and PORT may be ranges of one length.
Result<std::vector<PortMapping>> parse_port_mappings(std::string_view text);
Result<BindMount> parse_bind_mount(std::string_view text);          // SOURCE:TARGET[:ro|rw,...]
Result<RestartPolicy> parse_restart_policy(std::string_view text);  // no, on-failure[:N], ...
std::string to_string(RestartPolicy const& policy);
Result<int> parse_signal(std::string_view text);  // "TERM", "sigterm", "15", "SIGRTMIN+3"
std::string signal_name(int signal);              // "SIGTERM"
// Lines "NAME=VALUE" or "NAME"; '#' begins a comment.
std::vector<std::string> parse_env_file(std::string_view text);

// What a user asks for; what is empty is the image's.
struct RunRequest {
    std::vector<std::string> command;
    std::optional<std::string> entrypoint;  // empty text: none
    std::vector<std::string> env;           // "NAME=VALUE", or "NAME" to hand the caller's value on
    std::vector<std::string> caller_env;
    std::string workdir;
    std::string user;
    std::vector<std::string> labels;  // "NAME=VALUE" or "NAME"
    std::string network;              // "", "host", "none"
    bool publish_all = false;         // what the image exposes
    RunConfig plain;                  // everything that is taken as it is
};

// The environment of a container's command, but for HOME, which is its user's, and HOSTNAME. TERM
// is what the image or --env say, else xterm where there is a terminal. Errors: as
// plan_environment().
enum class HasTerminal { no, yes };
Result<std::vector<std::string>> plan_container_environment(EnvironmentSources sources,
                                                            HasTerminal terminal);

// What was asked for, else the beginning of the id.
std::string hostname_of(RunConfig const& config, std::string_view container_id);

// `image_config` are the bytes of the image's config. Without entrypoint and command anywhere it is
// /bin/sh. What the image names as volumes, and nothing else is mounted on, are volumes without a
// name. Errors: EINVAL.
Result<RunConfig> plan_run_config(std::string_view image_config, RunRequest request);

}  // namespace oblea::tools
