// SPDX-License-Identifier: MIT
// `create`, `run`, `start` and `attach`.
#include "store/base/sys.h"
#include "tools/cli/open_store.h"
#include "tools/commands/commands.h"
#include "tools/commands/run_options.h"
#include "tools/container/container_state.h"
#include "tools/container/container_view.h"
#include "tools/container/fill_volumes.h"
#include "tools/monitor/attach.h"
#include "tools/monitor/monitor.h"
#include "tools/monitor/remove.h"
#include "tools/monitor/runtime.h"
#include "tools/monitor/wire.h"

#include <fmt/format.h>

#include <memory>

namespace oblea::tools {

namespace {

struct RunCommandOptions {
    RunOptions run;
    bool detach = false;
    std::string detach_keys = kDefaultDetachKeys;
};

// Says why a command did not run; its exit status.
int tell(Context const& context, StartOutcome const& outcome) {
    context.error(outcome.problem);
    return outcome.exit_status;
}

Result<int> attach_and_wait(store::Store const& store, Container const& container,
                            AttachRequest const& request) {
    auto monitor = OBLEA_TRY(connect_monitor(store, container));
    if (!monitor.has_value()) {
        return fail(Errno::eio, "", "the container's monitor was lost");
    }
    auto const ended = OBLEA_TRY(attach(*std::move(monitor), request));
    return ended.value_or(exit_code::kSuccess);  // detached: it goes on
}

AttachRequest attach_request(RunConfig const& config, std::string const& keys) {
    using Request = AttachRequest;
    Request request;
    request.input = config.open_input ? Request::Input::all : Request::Input::none;
    request.terminal = config.terminal ? Request::Terminal::yes : Request::Terminal::no;
    request.detach_keys = keys;
    return request;
}

Result<int> run_attached(Context const& context, store::Store const& store,
                         Container const& container, AttachRequest request) {
    StartOutcome const outcome = OBLEA_TRY(start_monitor(store, container, Begin::when_told));
    if (outcome.exit_status != 0) {
        return tell(context, outcome);
    }
    request.begin = AttachRequest::Begin::yes;
    return attach_and_wait(store, container, request);
}

Result<int> run_container(Context const& context, store::Store const& store,
                          Container const& container, RunCommandOptions const& options) {
    RunConfig const config = OBLEA_TRY(run_config_of(container));
    if (options.detach) {
        StartOutcome const outcome = OBLEA_TRY(start_monitor(store, container, Begin::at_once));
        context.line(container.id);
        return outcome.exit_status != 0 ? tell(context, outcome) : exit_code::kSuccess;
    }
    return run_attached(context, store, container, attach_request(config, options.detach_keys));
}

Result<int> run(Context& context, RunCommandOptions const& options) {
    auto const store = OBLEA_TRY(open_store(context));
    OBLEA_TRY(Runtime::find());
    OBLEA_TRY(DetachKeys::parse(options.detach_keys));
    using Request = AttachRequest;
    if (!options.detach) {
        OBLEA_TRY(check_terminal(
            {.input = options.run.input ? Request::Input::all : Request::Input::none,
             .terminal = options.run.terminal ? Request::Terminal::yes : Request::Terminal::no}));
    }
    Container const container = OBLEA_TRY(make_container(context, store, options.run));
    auto ended = run_container(context, store, container, options);
    if (!ended.has_value() && options.run.remove) {
        // The monitor removes it, unless there was none.
        auto const left = find_container(store, container.id);
        if (left.has_value() && left->has_value()) {
            static_cast<void>(remove_unused(store, container, {.volumes = UnnamedVolumes::remove}));
        }
    }
    return ended;
}

// A container that runs does it itself; one that is only made may be there for its volumes.
Status fill_its_volumes(store::Store const& store, Container const& container) {
    RunConfig const config = OBLEA_TRY(run_config_of(container));
    if (config.volumes.empty()) {
        return {};
    }
    auto const filled =
        look_into(store, container, -1, [&](ContainerView const& view) -> Result<std::string> {
            base::UniqueFd const root = OBLEA_TRY(base::sys::duplicate(view.root));
            OBLEA_TRY(
                fill_volumes(view.store, config, {.root = root, .ids = view.container.owner_ids}));
            return std::string{"filled"};
        });
    return filled.has_value() ? Status{} : Status{std::unexpected<Error>(filled.error())};
}

Result<int> create(Context& context, RunOptions const& options) {
    auto const store = OBLEA_TRY(open_store(context));
    Container const container = OBLEA_TRY(make_container(context, store, options));
    auto const filled = fill_its_volumes(store, container);
    if (!filled.has_value()) {
        static_cast<void>(remove_unused(store, container, {.volumes = UnnamedVolumes::remove}));
        return std::unexpected<Error>(filled.error());
    }
    context.line(container.id);
    return exit_code::kSuccess;
}

struct StartOptions {
    std::vector<std::string> names;
    bool attach = false;
    bool interactive = false;
    std::string detach_keys = kDefaultDetachKeys;
};

Result<int> start_one(Context const& context, store::Store const& store, std::string const& name) {
    Container const container = OBLEA_TRY(need_container(store, name));
    ContainerState const state = OBLEA_TRY(observe_state(store, container));
    if (state.status == ContainerState::Status::paused) {
        return fail(Errno::einval, "", "cannot start a paused container, try unpause instead");
    }
    if (!state.is_active()) {
        StartOutcome const outcome = OBLEA_TRY(start_monitor(store, container, Begin::at_once));
        if (outcome.exit_status != 0) {
            return tell(context, outcome);
        }
    }
    context.line(name);
    return exit_code::kSuccess;
}

Result<int> start(Context& context, StartOptions const& options) {
    auto const store = OBLEA_TRY(open_store(context));
    if (options.attach || options.interactive) {
        if (options.names.size() != 1) {
            return fail(Errno::einval, "",
                        "you cannot start and attach multiple containers at once");
        }
        Container const container = OBLEA_TRY(need_container(store, options.names.front()));
        RunConfig const config = OBLEA_TRY(run_config_of(container));
        AttachRequest request = attach_request(config, options.detach_keys);
        if (!options.interactive) {
            request.input = AttachRequest::Input::none;
        }
        OBLEA_TRY(check_terminal(request));
        return OBLEA_TRY(observe_state(store, container)).is_active()
                   ? attach_and_wait(store, container, request)
                   : run_attached(context, store, container, request);
    }
    int status = exit_code::kSuccess;
    for (std::string const& name : options.names) {
        auto const started = start_one(context, store, name);
        if (!started.has_value()) {
            context.error(started.error());
        }
        if (!started.has_value() || *started != 0) {
            status = exit_code::kFailure;
        }
    }
    return status;
}

struct AttachOptions {
    std::string name;
    std::string detach_keys = kDefaultDetachKeys;
    bool no_input = false;
};

Result<int> attach_command_run(Context& context, AttachOptions const& options) {
    auto const store = OBLEA_TRY(open_store(context));
    Container const container = OBLEA_TRY(need_container(store, options.name));
    ContainerState const state = OBLEA_TRY(observe_state(store, container));
    if (!state.is_active()) {
        return fail(Errno::einval, "", "You cannot attach to a stopped container, start it first");
    }
    if (state.status == ContainerState::Status::paused) {
        return fail(Errno::einval, "", "You cannot attach to a paused container, unpause it first");
    }
    RunConfig const config = OBLEA_TRY(run_config_of(container));
    AttachRequest request = attach_request(config, options.detach_keys);
    if (options.no_input) {
        request.input = AttachRequest::Input::none;
    }
    OBLEA_TRY(check_terminal(request));
    return attach_and_wait(store, container, request);
}

Option detach_keys_option(std::string& target) {
    return {.names = "--detach-keys",
            .value_name = "KEYS",
            .help = "Keys that leave it running without you; default ctrl-p,ctrl-q",
            .target = &target};
}

}  // namespace

Command create_command() {
    auto options = std::make_shared<RunOptions>();
    return {
        .name = "create",
        .aliases = {"container create"},
        .section = Command::Section::containers,
        .summary = "Make a container without running it",
        .description = "As 'oblea run', up to the point where the command would start: 'oblea "
                       "start' does that. Prints the container's id.",
        .operands = run_operands(*options),
        .options = run_option_list(*options),
        .examples = {{"oblea create --name web -p 8080:80 httpd", "To be started later"}},
        .options_end = Command::OptionsEnd::first_operand,
        .run = [options](Context& context) { return create(context, *options); },
    };
}

Command run_command() {
    auto options = std::make_shared<RunCommandOptions>();
    std::vector<Option> list{{.names = "-d,--detach",
                              .value_name = "",
                              .help = "Print its id and let it run in the background",
                              .target = &options->detach}};
    std::ranges::move(run_option_list(options->run), std::back_inserter(list));
    list.push_back(detach_keys_option(options->detach_keys));
    return {
        .name = "run",
        .aliases = {"container run"},
        .section = Command::Section::containers,
        .summary = "Run a command in a new container",
        .description =
            "The container is a writable layer of its own over the image, under a name; it stays "
            "when the command ends, unless --rm is given. An OCI runtime (crun, else runc, "
            "or what OBLEA_RUNTIME names) runs it, or oblea itself where there is none, with "
            "process, mount, host name and IPC namespaces of its own. The network is the "
            "machine's, unless ports are published or --network none is given.\n\n"
            "A small process for each running container keeps its log and exit status; there is no "
            "daemon. Volumes, of the image too, are as docker's ('oblea help volume create').\n\n"
            "The exit status is the command's; 125 when oblea itself fails, 126 when the command "
            "cannot be executed, 127 when it is not found.",
        .operands = run_operands(options->run),
        .options = std::move(list),
        .examples = {{"oblea run -it --rm debian bash", "A shell in a container of its own"},
                     {"oblea run -d --name web -p 8080:80 httpd", "A server in the background"},
                     {"oblea run -v \"$PWD:/src\" -w /src gcc make",
                      "A tool on a folder of yours"}},
        .options_end = Command::OptionsEnd::first_operand,
        .failure_exit = exit_code::kOwnFailure,
        .usage_exit = exit_code::kOwnFailure,
        .run = [options](Context& context) { return run(context, *options); },
    };
}

Command start_command() {
    auto options = std::make_shared<StartOptions>();
    return {
        .name = "start",
        .aliases = {"container start"},
        .section = Command::Section::containers,
        .summary = "Run containers again",
        .description = "With their command and options, on what they left in their layer.",
        .operands = {{.name = "CONTAINER", .help = "Name or id", .target = &options->names}},
        .options = {{.names = "-a,--attach",
                     .value_name = "",
                     .help = "Show its output and wait for its end",
                     .target = &options->attach},
                    {.names = "-i,--interactive",
                     .value_name = "",
                     .help = "Hand standard input on",
                     .target = &options->interactive},
                    detach_keys_option(options->detach_keys)},
        .examples = {{"oblea start web", "In the background"},
                     {"oblea start -ai shell", "In this terminal"}},
        .run = [options](Context& context) { return start(context, *options); },
    };
}

Command attach_command() {
    auto options = std::make_shared<AttachOptions>();
    return {
        .name = "attach",
        .aliases = {"container attach"},
        .section = Command::Section::containers,
        .summary = "Connect this terminal to a running container",
        .description = "Shows its output from now on and hands on what is typed, if it was made "
                       "with --interactive. The exit status is the container's.",
        .operands = {{.name = "CONTAINER", .help = "Name or id", .target = &options->name}},
        .options = {{.names = "--no-stdin",
                     .value_name = "",
                     .help = "Hand nothing on",
                     .target = &options->no_input},
                    detach_keys_option(options->detach_keys)},
        .examples = {{"oblea attach shell", "Until ctrl-p ctrl-q"}},
        .run = [options](Context& context) { return attach_command_run(context, *options); },
    };
}

}  // namespace oblea::tools
