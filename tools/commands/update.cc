// SPDX-License-Identifier: MIT
#include "tools/cli/each_name.h"
#include "tools/cli/open_store.h"
#include "tools/commands/commands.h"
#include "tools/monitor/monitor.h"

#include <nlohmann/json.hpp>

#include <memory>

namespace oblea::tools {

namespace {

struct UpdateOptions {
    std::vector<std::string> names;
    std::optional<std::string> restart;
};

Status update_one(store::Store const& store, Container const& container,
                  RestartPolicy const& policy) {
    RunConfig run = OBLEA_TRY(run_config_of(container));
    if (run.remove_at_end && policy.kind != RestartPolicy::Kind::no) {
        return fail(Errno::einval, "",
                    "Restart policy cannot be updated because AutoRemove is enabled for the "
                    "container");
    }
    run.restart = policy;
    return set_container_run(store, container, encode_run_config(run).dump());
}

Result<int> update(Context& context, UpdateOptions const& options) {
    if (!options.restart.has_value()) {
        return fail(Errno::einval, "",
                    "you must provide one or more flags when using this command");
    }
    RestartPolicy const policy = OBLEA_TRY(parse_restart_policy(*options.restart));
    auto const store = OBLEA_TRY(open_store(context));
    return for_each_name(context, options.names, Force::no, [&](std::string const& name) -> Status {
        Container const container = OBLEA_TRY(need_container(store, name));
        OBLEA_TRY(update_one(store, container, policy));
        context.line(name);
        return {};
    });
}

}  // namespace

Command update_command() {
    auto options = std::make_shared<UpdateOptions>();
    return {
        .name = "update",
        .aliases = {"container update"},
        .section = Command::Section::containers,
        .summary = "Change the restart policy of containers",
        .description = "Of those that run too: it counts when their command ends the next time.",
        .operands = {{.name = "CONTAINER", .help = "Name or id", .target = &options->names}},
        .options = {{.names = "--restart",
                     .value_name = "POLICY",
                     .help = "no, on-failure[:N], always, unless-stopped",
                     .target = &options->restart}},
        .examples = {{"oblea update --restart always web", "From now on 'web' is kept up"}},
        .run = [options](Context& context) { return update(context, *options); },
    };
}

}  // namespace oblea::tools
