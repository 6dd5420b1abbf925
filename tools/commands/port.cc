// SPDX-License-Identifier: MIT
#include "tools/cli/open_store.h"
#include "tools/commands/commands.h"
#include "tools/container/container_state.h"
#include "tools/monitor/monitor.h"

#include <fmt/format.h>

#include <algorithm>
#include <memory>

namespace oblea::tools {

namespace {

struct PortOptions {
    std::string container;
    std::optional<std::string> port;
};

std::string inside_of(PortMapping const& port) {
    return fmt::format("{}/{}", port.container_port,
                       port.protocol == PortMapping::Protocol::tcp ? "tcp" : "udp");
}

std::string outside_of(PortMapping const& port) {
    std::string const address = port.host_address.empty() ? "0.0.0.0" : port.host_address;
    bool const is_six = address.find(':') != std::string::npos;
    return fmt::format("{}:{}", is_six ? '[' + address + ']' : address, port.host_port);
}

Result<int> show_ports(Context& context, PortOptions const& options) {
    auto const store = OBLEA_TRY(open_store(context));
    Container const container = OBLEA_TRY(need_container(store, options.container));
    RunConfig run = OBLEA_TRY(run_config_of(container));
    if (!OBLEA_TRY(observe_state(store, container)).is_active()) {
        run.ports.clear();  // none is published any more
    }
    std::ranges::stable_sort(run.ports, {}, [](PortMapping const& port) {
        return std::pair{port.container_port, port.protocol};
    });
    if (!options.port.has_value()) {
        for (PortMapping const& port : run.ports) {
            context.line(inside_of(port) + " -> " + outside_of(port));
        }
        return exit_code::kSuccess;
    }
    std::string const& typed = *options.port;
    std::string const wanted = typed.find('/') == std::string::npos ? typed + "/tcp" : typed;
    std::erase_if(run.ports, [&](PortMapping const& port) { return inside_of(port) != wanted; });
    if (run.ports.empty()) {
        return fail(Errno::enoent, "",
                    fmt::format("no public port '{}' published for {}", wanted, options.container));
    }
    for (PortMapping const& port : run.ports) {
        context.line(outside_of(port));
    }
    return exit_code::kSuccess;
}

}  // namespace

Command port_command() {
    auto options = std::make_shared<PortOptions>();
    return {
        .name = "port",
        .aliases = {"container port"},
        .section = Command::Section::containers,
        .summary = "Show where the ports of a container are published",
        .description = "Of a container that runs. With a port, only the address and port of the "
                       "machine.",
        .operands = {{.name = "CONTAINER", .help = "Name or id", .target = &options->container},
                     {.name = "PORT",
                      .help = "A port of the container, such as 80 or 53/udp",
                      .target = &options->port}},
        .options = {},
        .examples = {{"oblea port web 80", "Where the page is"}},
        .run = [options](Context& context) { return show_ports(context, *options); },
    };
}

}  // namespace oblea::tools
