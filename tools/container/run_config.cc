// SPDX-License-Identifier: MIT
#include "tools/container/run_config.h"

#include "store/base/limits.h"
#include "store/image/json_fields.h"
#include "tools/container/mount_options.h"
#include "tools/mount/identifiers.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <csignal>
#include <cstring>
#include <set>

namespace oblea::tools {
namespace {

namespace fields = store::json_fields;
using nlohmann::json;

constexpr char const* kRunConfig = "container.json";

Result<std::uint16_t> parse_port(std::string_view text) {
    unsigned number = 0;
    auto const [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc{} || end != text.data() + text.size() || number == 0 || number > 65535) {
        return fail(Errno::einval, "", fmt::format("invalid port \"{}\"", text));
    }
    return static_cast<std::uint16_t>(number);
}

struct PortRange {
    std::uint16_t first = 0;
    std::uint16_t last = 0;
};

// "PORT" or "FIRST-LAST".
Result<PortRange> parse_port_range(std::string_view text) {
    auto const dash = text.find('-');
    PortRange range;
    range.first = OBLEA_TRY(parse_port(text.substr(0, dash)));
    range.last =
        dash == std::string_view::npos ? range.first : OBLEA_TRY(parse_port(text.substr(dash + 1)));
    if (range.last < range.first) {
        return fail(Errno::einval, "", fmt::format("invalid range of ports \"{}\"", text));
    }
    return range;
}

// What the image exposes and nothing publishes yet, on any free port.
Status publish_exposed(json const& exposed, std::vector<PortMapping>& ports) {
    for (auto const& [text, nothing] : exposed.items()) {
        for (PortMapping const& port : OBLEA_TRY(parse_port_mappings(text))) {
            bool const published = std::ranges::any_of(ports, [&](PortMapping const& one) {
                return one.container_port == port.container_port && one.protocol == port.protocol;
            });
            if (!published) {
                ports.push_back(port);
            }
        }
    }
    return {};
}

constexpr std::array kNetworks{std::pair{Network::host, "host"}, std::pair{Network::none, "none"},
                               std::pair{Network::published, "published"}};

std::string_view text_of(Network network) {
    return std::ranges::find(kNetworks, network, &std::pair<Network, char const*>::first)->second;
}

Result<Network> parse_network(std::string_view text) {
    auto const found =
        std::ranges::find_if(kNetworks, [&](auto const& one) { return one.second == text; });
    if (found == kNetworks.end()) {
        return fields::invalid(kRunConfig, fmt::format("unknown network \"{}\"", text));
    }
    return found->first;
}

std::string bind_text(BindMount const& bind) {
    return fmt::format("{}:{}:{}", bind.source, bind.target,
                       bind.access == BindMount::Access::read_only ? "ro" : "rw");
}

std::string port_text(PortMapping const& port) {
    return fmt::format("{}:{}:{}/{}", port.host_address, port.host_port, port.container_port,
                       port.protocol == PortMapping::Protocol::tcp ? "tcp" : "udp");
}

// Where something is mounted. One of two mounts in a place could never be seen: EINVAL.
Result<std::set<std::string>> mount_points(RunConfig const& config) {
    std::set<std::string> targets;
    auto const add = [&](std::string target) -> Status {
        while (target.size() > 1 && target.ends_with('/')) {
            target.pop_back();
        }
        if (!targets.insert(target).second) {
            return fail(Errno::einval, "", "Duplicate mount point: " + target);
        }
        return {};
    };
    for (BindMount const& bind : config.binds) {
        OBLEA_TRY(add(bind.target));
    }
    for (VolumeMount const& volume : config.volumes) {
        OBLEA_TRY(add(volume.target));
    }
    for (TmpfsMount const& tmpfs : config.tmpfs) {
        OBLEA_TRY(add(tmpfs.target));
    }
    for (Device const& device : config.devices) {
        OBLEA_TRY(add(device.target));
    }
    return targets;
}

std::pair<std::string, std::string> split_at(std::string const& text, char separator) {
    auto const at = text.find(separator);
    return at == std::string::npos ? std::pair{text, std::string{}}
                                   : std::pair{text.substr(0, at), text.substr(at + 1)};
}

}  // namespace

std::string PortMapping::to_string() const {
    return fmt::format("{}:{}->{}/{}", host_address.empty() ? "0.0.0.0" : host_address, host_port,
                       container_port, protocol == Protocol::tcp ? "tcp" : "udp");
}

std::vector<std::string> RunConfig::arguments() const {
    std::vector<std::string> all = entrypoint;
    all.insert(all.end(), command.begin(), command.end());
    return all;
}

json encode_run_config(RunConfig const& config) {
    json binds = json::array();
    std::ranges::transform(config.binds, std::back_inserter(binds), bind_text);
    json volumes = json::array();
    std::ranges::transform(config.volumes, std::back_inserter(volumes), encode_volume);
    json devices = json::array();
    std::ranges::transform(config.devices, std::back_inserter(devices),
                           [](Device const& device) { return to_string(device); });
    json ports = json::array();
    std::ranges::transform(config.ports, std::back_inserter(ports), port_text);
    json tmpfs = json::array();
    std::ranges::transform(config.tmpfs, std::back_inserter(tmpfs), encode_tmpfs);
    json object = {{"entrypoint", config.entrypoint},
                   {"command", config.command},
                   {"env", config.env},
                   {"workdir", config.workdir},
                   {"user", config.user},
                   {"hostname", config.hostname},
                   {"labels", config.labels},
                   {"binds", std::move(binds)},
                   {"volumes", std::move(volumes)},
                   {"tmpfs", std::move(tmpfs)},
                   {"devices", std::move(devices)},
                   {"ports", std::move(ports)},
                   {"network", text_of(config.network)},
                   {"names", encode_name_service(config.names)},
                   {"limits", encode_limits(config.limits)},
                   {"cap_add", config.capabilities.add},
                   {"cap_drop", config.capabilities.drop},
                   {"groups", config.groups},
                   {"init", config.init},
                   {"restart", to_string(config.restart)},
                   {"stop_signal", config.stop_signal},
                   {"terminal", config.terminal},
                   {"open_input", config.open_input},
                   {"read_only", config.read_only},
                   {"remove_at_end", config.remove_at_end},
                   {"verify", config.verify}};
    if (config.build.has_value()) {
        object["build"] = encode_build_run(*config.build);
    }
    return object;
}

Result<RunConfig> parse_run_config(std::string_view text) {
    json const document =
        OBLEA_TRY(fields::parse_object(text, kRunConfig, limits::kConfigBytesMax));
    RunConfig config;
    config.entrypoint = OBLEA_TRY(fields::texts(document, "entrypoint", kRunConfig));
    config.command = OBLEA_TRY(fields::texts(document, "command", kRunConfig));
    config.env = OBLEA_TRY(fields::texts(document, "env", kRunConfig));
    config.workdir = OBLEA_TRY(fields::text(document, "workdir", kRunConfig));
    config.user = OBLEA_TRY(fields::text(document, "user", kRunConfig));
    config.hostname = OBLEA_TRY(fields::text(document, "hostname", kRunConfig));
    if (json const* labels = OBLEA_TRY(fields::object_if(document, "labels", kRunConfig))) {
        for (auto const& [name, value] : labels->items()) {
            config.labels[name] = value.is_string() ? value.get<std::string>() : "";
        }
    }
    auto const binds = OBLEA_TRY(fields::texts(document, "binds", kRunConfig));
    for (std::string const& bind : binds) {
        config.binds.push_back(OBLEA_TRY(parse_bind_mount(bind)));
    }
    auto const ports = OBLEA_TRY(fields::texts(document, "ports", kRunConfig));
    for (std::string const& port : ports) {
        auto const parsed = OBLEA_TRY(parse_port_mappings(port));
        config.ports.insert(config.ports.end(), parsed.begin(), parsed.end());
    }
    std::string const network = OBLEA_TRY(fields::text(document, "network", kRunConfig));
    config.network = OBLEA_TRY(parse_network(network));
    std::string const restart = OBLEA_TRY(fields::text(document, "restart", kRunConfig));
    config.restart = OBLEA_TRY(parse_restart_policy(restart));
    config.stop_signal =
        static_cast<int>(OBLEA_TRY(fields::number(document, "stop_signal", kRunConfig)));
    config.terminal = OBLEA_TRY(fields::flag(document, "terminal", kRunConfig));
    config.open_input = OBLEA_TRY(fields::flag(document, "open_input", kRunConfig));
    config.read_only = OBLEA_TRY(fields::flag(document, "read_only", kRunConfig));
    config.remove_at_end = OBLEA_TRY(fields::flag(document, "remove_at_end", kRunConfig));
    // Containers that were made before there were such things have no word of them.
    if (json const* tmpfs = OBLEA_TRY(fields::array_if(document, "tmpfs", kRunConfig))) {
        for (json const& one : *tmpfs) {
            config.tmpfs.push_back(OBLEA_TRY(decode_tmpfs(one)));
        }
    }
    if (json const* volumes = OBLEA_TRY(fields::array_if(document, "volumes", kRunConfig))) {
        for (json const& one : *volumes) {
            config.volumes.push_back(OBLEA_TRY(decode_volume(one)));
        }
    }
    if (json const* names = OBLEA_TRY(fields::object_if(document, "names", kRunConfig))) {
        config.names = OBLEA_TRY(decode_name_service(*names));
    }
    if (json const* limits = OBLEA_TRY(fields::object_if(document, "limits", kRunConfig))) {
        config.limits = OBLEA_TRY(decode_limits(*limits));
    }
    auto const devices = OBLEA_TRY(fields::texts_if(document, "devices", kRunConfig));
    for (std::string const& device : devices) {
        config.devices.push_back(OBLEA_TRY(parse_device(device)));
    }
    config.capabilities.add = OBLEA_TRY(fields::texts_if(document, "cap_add", kRunConfig));
    config.capabilities.drop = OBLEA_TRY(fields::texts_if(document, "cap_drop", kRunConfig));
    config.groups = OBLEA_TRY(fields::texts_if(document, "groups", kRunConfig));
    if (document.contains("init")) {
        config.init = OBLEA_TRY(fields::flag(document, "init", kRunConfig));
    }
    if (document.contains("verify")) {
        config.verify = OBLEA_TRY(fields::flag(document, "verify", kRunConfig));
    }
    if (json const* build = OBLEA_TRY(fields::object_if(document, "build", kRunConfig))) {
        config.build = OBLEA_TRY(parse_build_run(*build));
    }
    return config;
}

Result<std::vector<PortMapping>> parse_port_mappings(std::string_view text) {
    auto const wrong = [&] {
        return fail(Errno::einval, "",
                    fmt::format("\"{}\" is no port to publish: write [[ADDRESS:][HOST_PORT]:]PORT"
                                "[/tcp|/udp], as in 8080:80; ports may be ranges, as in 8000-8010",
                                text));
    };
    PortMapping port;
    std::string_view rest = text;
    if (auto const slash = rest.rfind('/'); slash != std::string_view::npos) {
        std::string_view const protocol = rest.substr(slash + 1);
        if (protocol != "tcp" && protocol != "udp") {
            return wrong();
        }
        port.protocol = protocol == "udp" ? PortMapping::Protocol::udp : PortMapping::Protocol::tcp;
        rest = rest.substr(0, slash);
    }
    auto const last = rest.rfind(':');
    auto const inside =
        parse_port_range(last == std::string_view::npos ? rest : rest.substr(last + 1));
    rest = rest.substr(0, last == std::string_view::npos ? 0 : last);
    auto const before = rest.rfind(':');
    std::string_view const host = before == std::string_view::npos ? rest : rest.substr(before + 1);
    if (before != std::string_view::npos) {
        std::string_view address = rest.substr(0, before);
        if (address.starts_with('[') && address.ends_with(']')) {
            address = address.substr(1, address.size() - 2);
        }
        port.host_address = address;
    }
    auto const outside = host.empty() ? inside : parse_port_range(host);
    if (!inside.has_value() || !outside.has_value() ||
        inside->last - inside->first != outside->last - outside->first) {
        return wrong();
    }
    std::vector<PortMapping> ports;
    for (unsigned i = 0; i <= unsigned{inside->last} - inside->first; ++i) {
        port.container_port = static_cast<std::uint16_t>(inside->first + i);
        port.host_port =
            host.empty() ? std::uint16_t{0} : static_cast<std::uint16_t>(outside->first + i);
        ports.push_back(port);
    }
    return ports;
}

Result<BindMount> parse_bind_mount(std::string_view text) {
    BindMount bind;
    auto const first = text.find(':');
    if (first != std::string_view::npos) {
        bind.source = text.substr(0, first);
        std::string_view rest = text.substr(first + 1);
        auto const second = rest.find(':');
        bind.target = rest.substr(0, second);
        std::string_view mode =
            second == std::string_view::npos ? std::string_view{"rw"} : rest.substr(second + 1);
        while (!mode.empty()) {
            auto const comma = mode.find(',');
            std::string_view const word = mode.substr(0, comma);
            mode = comma == std::string_view::npos ? std::string_view{} : mode.substr(comma + 1);
            // z and Z ask for SELinux labels, which these containers need none of.
            if (word != "ro" && word != "rw" && word != "z" && word != "Z") {
                return fail(Errno::einval, "",
                            fmt::format("invalid volume specification: '{}': invalid mode: {}",
                                        text, word));
            }
            if (word == "ro") {
                bind.access = BindMount::Access::read_only;
            }
        }
    }
    if (!bind.source.starts_with('/') || !bind.target.starts_with('/')) {
        return fail(Errno::einval, "",
                    fmt::format("invalid volume specification: '{}': write /FOLDER:/TARGET[:ro], "
                                "NAME:/TARGET[:ro] or /TARGET",
                                text));
    }
    return bind;
}

Result<RestartPolicy> parse_restart_policy(std::string_view text) {
    using Kind = RestartPolicy::Kind;
    auto const colon = text.find(':');
    std::string_view const name = text.substr(0, colon);
    RestartPolicy policy;
    if (name == "on-failure") {
        policy.kind = Kind::on_failure;
        if (colon != std::string_view::npos) {
            std::string_view const count = text.substr(colon + 1);
            auto const [end, error] =
                std::from_chars(count.data(), count.data() + count.size(), policy.retries_max);
            if (error != std::errc{} || end != count.data() + count.size()) {
                return fail(Errno::einval, "",
                            "maximum retry count must be an integer: " + std::string{count});
            }
        }
        return policy;
    }
    if (colon != std::string_view::npos) {
        return fail(Errno::einval, "",
                    "a maximum retry count can only be used with on-failure: " + std::string{text});
    }
    if (name == "always") {
        policy.kind = Kind::always;
    } else if (name == "unless-stopped") {
        policy.kind = Kind::unless_stopped;
    } else if (name != "no" && !name.empty()) {
        return fail(Errno::einval, "", fmt::format("invalid restart policy '{}'", text));
    }
    return policy;
}

std::string to_string(RestartPolicy const& policy) {
    switch (policy.kind) {
    case RestartPolicy::Kind::always:
        return "always";
    case RestartPolicy::Kind::unless_stopped:
        return "unless-stopped";
    case RestartPolicy::Kind::on_failure:
        return policy.retries_max == 0 ? "on-failure"
                                       : fmt::format("on-failure:{}", policy.retries_max);
    case RestartPolicy::Kind::no:
        break;
    }
    return "no";
}

Result<int> parse_signal(std::string_view text) {
    int number = 0;
    auto const [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error == std::errc{} && end == text.data() + text.size() && number > 0 && number < NSIG) {
        return number;
    }
    std::string name{text};
    std::ranges::transform(name, name.begin(),
                           [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
    if (!name.starts_with("SIG")) {
        name = "SIG" + name;
    }
    for (int signal = 1; signal < NSIG; ++signal) {
        if (name == signal_name(signal)) {
            return signal;
        }
    }
    // The same from the other end; signal_name() has one name for each.
    if (name.starts_with("SIGRTMAX-")) {
        for (int signal = SIGRTMIN; signal <= SIGRTMAX; ++signal) {
            if (name == fmt::format("SIGRTMAX-{}", SIGRTMAX - signal)) {
                return signal;
            }
        }
    }
    return fail(Errno::einval, "", fmt::format("invalid signal: {}", text));
}

std::string signal_name(int signal) {
    if (signal == SIGRTMIN || signal == SIGRTMAX) {
        return signal == SIGRTMIN ? "SIGRTMIN" : "SIGRTMAX";
    }
    if (signal > SIGRTMIN && signal < SIGRTMAX) {
        return fmt::format("SIGRTMIN+{}", signal - SIGRTMIN);
    }
    char const* abbreviation = ::sigabbrev_np(signal);
    return abbreviation != nullptr ? std::string{"SIG"} + abbreviation : std::to_string(signal);
}

std::vector<std::string> parse_env_file(std::string_view text) {
    std::vector<std::string> list;
    while (!text.empty()) {
        auto const end = text.find('\n');
        std::string_view line = text.substr(0, end);
        text = end == std::string_view::npos ? std::string_view{} : text.substr(end + 1);
        auto const first = line.find_first_not_of(" \t\r");
        if (first == std::string_view::npos || line[first] == '#') {
            continue;
        }
        line.remove_prefix(first);
        if (line.ends_with('\r')) {
            line.remove_suffix(1);
        }
        list.emplace_back(line);
    }
    return list;
}

Result<std::vector<std::string>> plan_container_environment(EnvironmentSources sources,
                                                            HasTerminal terminal) {
    auto const is_term = [](std::string const& one) { return one.starts_with("TERM="); };
    if (std::ranges::find(sources.asked, "TERM") == sources.asked.end()) {
        std::erase_if(sources.caller, is_term);  // the caller's terminal is not the container's
    }
    auto env = OBLEA_TRY(plan_environment(sources));
    std::erase(env, "HOME=");
    if (terminal == HasTerminal::yes && std::ranges::none_of(env, is_term)) {
        env.emplace_back("TERM=xterm");
    }
    return env;
}

std::string hostname_of(RunConfig const& config, std::string_view container_id) {
    return config.hostname.empty() ? std::string{container_id.substr(0, kShortIdLength)}
                                   : config.hostname;
}

Result<RunConfig> plan_run_config(std::string_view image_config, RunRequest request) {
    ImageDefaults const image = OBLEA_TRY(parse_image_defaults(image_config));
    RunConfig config = std::move(request.plain);
    config.entrypoint = image.entrypoint;
    config.command = image.command;
    if (request.entrypoint.has_value()) {
        config.entrypoint.clear();
        config.command.clear();  // the image's command suits its own entrypoint
        if (!request.entrypoint->empty()) {
            config.entrypoint.push_back(*request.entrypoint);
        }
    }
    if (!request.command.empty()) {
        config.command = request.command;
    }
    if (config.arguments().empty()) {
        config.command = {"/bin/sh"};
    }
    config.env =
        OBLEA_TRY(plan_container_environment({.image = image.env,
                                              .asked = request.env,
                                              .caller = std::move(request.caller_env),
                                              .home = ""},
                                             config.terminal ? HasTerminal::yes : HasTerminal::no));
    config.workdir = request.workdir.empty() ? image.workdir : request.workdir;
    config.user = request.user.empty() ? image.user : request.user;
    if (!config.workdir.empty() && !config.workdir.starts_with('/')) {
        return fail(Errno::einval, "",
                    fmt::format("the working directory '{}' is invalid, it needs to be an absolute "
                                "path",
                                config.workdir));
    }
    json const document = json::parse(image_config, nullptr, false);
    if (document.is_object() && document.contains("config") && document["config"].is_object()) {
        json const& defaults = document["config"];
        if (defaults.contains("Labels") && defaults["Labels"].is_object()) {
            for (auto const& [name, value] : defaults["Labels"].items()) {
                config.labels[name] = value.is_string() ? value.get<std::string>() : "";
            }
        }
        if (defaults.contains("StopSignal") && defaults["StopSignal"].is_string()) {
            config.stop_signal =
                OBLEA_TRY(parse_signal(defaults["StopSignal"].get_ref<std::string const&>()));
        }
    }
    if (request.publish_all && document.is_object()) {
        json const exposed = document.value("/config/ExposedPorts"_json_pointer, json::object());
        OBLEA_TRY(publish_exposed(exposed, config.ports));
    }
    for (std::string const& label : request.labels) {
        auto [name, value] = split_at(label, '=');
        config.labels[std::move(name)] = std::move(value);
    }
    if (request.network == "host" || request.network == "none") {
        if (!config.ports.empty()) {
            return fail(Errno::einval, "",
                        "ports are published from a network of the container's own: leave out "
                        "--network, or -p");
        }
        config.network = request.network == "none" ? Network::none : Network::host;
    } else if (!config.ports.empty()) {
        config.network = Network::published;
    }
    auto targets = OBLEA_TRY(mount_points(config));
    std::ranges::move(
        plan_image_volumes(document.value("/config/Volumes"_json_pointer, json::object()),
                           std::move(targets)),
        std::back_inserter(config.volumes));
    if (config.remove_at_end && config.restart.kind != RestartPolicy::Kind::no) {
        return fail(Errno::einval, "", "conflicting options: --restart and --rm");
    }
    return config;
}

}  // namespace oblea::tools
