// SPDX-License-Identifier: MIT
// `stop`, `kill`, `restart`, `pause`, `unpause`, `wait` and `rename`.
#include "tools/monitor/stop.h"
#include "tools/cli/each_name.h"
#include "tools/cli/open_store.h"
#include "tools/commands/commands.h"
#include "tools/container/container_state.h"
#include "tools/monitor/monitor.h"

#include <csignal>
#include <functional>
#include <memory>

namespace oblea::tools {

namespace {

constexpr int kMsPerSecond = 1000;

struct StopOptions {
    std::vector<std::string> names;
    unsigned seconds = 10;
    std::string signal;
};

// What cannot be done for one does not keep the others.
Result<int> for_each(Context& context, std::vector<std::string> const& names,
                     std::function<Status(store::Store const&, Container const&)> const& act) {
    auto const store = OBLEA_TRY(open_store(context));
    return for_each_name(context, names, Force::no, [&](std::string const& name) -> Status {
        Container const container = OBLEA_TRY(need_container(store, name));
        OBLEA_TRY(act(store, container));
        context.line(name);
        return {};
    });
}

Status stop_one(store::Store const& store, Container const& container, StopOptions const& options) {
    if (!OBLEA_TRY(observe_state(store, container)).is_active()) {
        return {};
    }
    int signal = OBLEA_TRY(run_config_of(container)).stop_signal;
    if (!options.signal.empty()) {
        signal = OBLEA_TRY(parse_signal(options.signal));
    }
    return stop_container(store, container, signal,
                          static_cast<int>(options.seconds) * kMsPerSecond);
}

Status kill_one(store::Store const& store, Container const& container, std::string const& typed) {
    int const signal = OBLEA_TRY(parse_signal(typed));
    int const stop_signal = OBLEA_TRY(run_config_of(container)).stop_signal;
    // These are meant to end it for good; others are messages to it.
    bool const ends = signal == SIGKILL || signal == SIGTERM || signal == stop_signal;
    return signal_container(store, container, signal,
                            ends ? Frame::Kind::stop : Frame::Kind::signal);
}

Status restart_one(store::Store const& store, Container const& container,
                   StopOptions const& options) {
    OBLEA_TRY(stop_one(store, container, options));
    StartOutcome const outcome = OBLEA_TRY(start_monitor(store, container, Begin::at_once));
    if (outcome.exit_status != 0) {
        return fail(Errno::eio, "", outcome.problem);
    }
    return {};
}

Result<int> wait(Context& context, std::vector<std::string> const& names) {
    auto const store = OBLEA_TRY(open_store(context));
    return for_each_name(context, names, Force::no, [&](std::string const& name) -> Status {
        Container const container = OBLEA_TRY(need_container(store, name));
        context.line(std::to_string(OBLEA_TRY(wait_container(store, container))));
        return {};
    });
}

std::vector<Option> stop_option_list(StopOptions& options) {
    return {{.names = "-t,--timeout,--time",
             .value_name = "SECONDS",
             .help = "How long to wait before it is killed; default 10",
             .target = &options.seconds},
            {.names = "-s,--signal",
             .value_name = "SIGNAL",
             .help = "In place of its stop signal",
             .target = &options.signal}};
}

Operand containers_operand(std::vector<std::string>& target) {
    return {.name = "CONTAINER", .help = "Name or id", .target = &target};
}

}  // namespace

Command stop_command() {
    auto options = std::make_shared<StopOptions>();
    return {
        .name = "stop",
        .aliases = {"container stop"},
        .section = Command::Section::containers,
        .summary = "End running containers",
        .description = "Sends the stop signal, and kills what has not ended after a while. A "
                       "container that is stopped is not started again by its restart policy.",
        .operands = {containers_operand(options->names)},
        .options = stop_option_list(*options),
        .examples = {{"oblea stop web", "Give it ten seconds"}},
        .run =
            [options](Context& context) {
                return for_each(context, options->names,
                                [&](store::Store const& store, Container const& container) {
                                    return stop_one(store, container, *options);
                                });
            },
    };
}

Command restart_command() {
    auto options = std::make_shared<StopOptions>();
    return {
        .name = "restart",
        .aliases = {"container restart"},
        .section = Command::Section::containers,
        .summary = "End containers and run them again",
        .description = "As 'oblea stop' and 'oblea start'.",
        .operands = {containers_operand(options->names)},
        .options = stop_option_list(*options),
        .examples = {{"oblea restart web", "Stop 'web' and start it"}},
        .run =
            [options](Context& context) {
                return for_each(context, options->names,
                                [&](store::Store const& store, Container const& container) {
                                    return restart_one(store, container, *options);
                                });
            },
    };
}

Command kill_command() {
    auto options = std::make_shared<StopOptions>();
    options->signal = "KILL";
    return {
        .name = "kill",
        .aliases = {"container kill"},
        .section = Command::Section::containers,
        .summary = "Send a signal to running containers",
        .description = "To the first process of each; does not wait for what comes of it.",
        .operands = {containers_operand(options->names)},
        .options = {{.names = "-s,--signal",
                     .value_name = "SIGNAL",
                     .help = "By name or number; default KILL",
                     .target = &options->signal}},
        .examples = {{"oblea kill -s HUP web", "Let 'web' read its configuration again"}},
        .run =
            [options](Context& context) {
                return for_each(context, options->names,
                                [&](store::Store const& store, Container const& container) {
                                    return kill_one(store, container, options->signal);
                                });
            },
    };
}

namespace {

Command pause_or_unpause(Command base, Pause pause) {
    auto names = std::make_shared<std::vector<std::string>>();
    base.section = Command::Section::containers;
    base.operands = {containers_operand(*names)};
    base.run = [names, pause](Context& context) {
        return for_each(context, *names,
                        [&](store::Store const& store, Container const& container) {
                            return pause_container(store, container, pause);
                        });
    };
    return base;
}

}  // namespace

Command pause_command() {
    return pause_or_unpause(
        {.name = "pause",
         .aliases = {"container pause"},
         .summary = "Let all processes of containers stand still",
         .description = "Until 'oblea unpause' or 'oblea stop'. They are stopped by a signal "
                        "(SIGSTOP), since these containers have no cgroup that could be frozen; "
                        "connections to their ports wait.",
         .operands = {},
         .options = {},
         .examples = {{"oblea pause web", "Look at what 'web' has written in peace"}},
         .run = {}},
        Pause::begin);
}

Command unpause_command() {
    return pause_or_unpause({.name = "unpause",
                             .aliases = {"container unpause"},
                             .summary = "Let paused containers go on",
                             .description = "What 'oblea pause' has stopped.",
                             .operands = {},
                             .options = {},
                             .examples = {{"oblea unpause web", "Go on"}},
                             .run = {}},
                            Pause::end);
}

Command wait_command() {
    auto names = std::make_shared<std::vector<std::string>>();
    return {
        .name = "wait",
        .aliases = {"container wait"},
        .section = Command::Section::containers,
        .summary = "Wait until containers have ended",
        .description = "Prints the exit status of each.",
        .operands = {containers_operand(*names)},
        .options = {},
        .examples = {{"oblea wait build", "Until 'build' is ready"}},
        .run = [names](Context& context) { return wait(context, *names); },
    };
}

Command rename_command() {
    struct RenameOptions {
        std::string from;
        std::string to;
    };
    auto options = std::make_shared<RenameOptions>();
    return {
        .name = "rename",
        .aliases = {"container rename"},
        .section = Command::Section::containers,
        .summary = "Give a container another name",
        .description = "Its id stays. It may be running.",
        .operands = {{.name = "CONTAINER", .help = "Name or id", .target = &options->from},
                     {.name = "NAME", .help = "The new name", .target = &options->to}},
        .options = {},
        .examples = {{"oblea rename web old-web", "Make room for a new 'web'"}},
        .run = [options](Context& context) -> Result<int> {
            auto const store = OBLEA_TRY(open_store(context));
            Container const container = OBLEA_TRY(need_container(store, options->from));
            OBLEA_TRY(rename_container(store, container, options->to));
            return exit_code::kSuccess;
        },
    };
}

}  // namespace oblea::tools
