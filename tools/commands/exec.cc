// SPDX-License-Identifier: MIT
#include "tools/monitor/exec.h"

#include "tools/cli/open_store.h"
#include "tools/commands/commands.h"
#include "tools/commands/run_options.h"

#include <unistd.h>

#include <memory>

namespace oblea::tools {

namespace {

struct ExecOptions {
    std::string name;
    std::vector<std::string> env_files;
    ExecRequest request;
};

Result<int> exec(Context& context, ExecOptions const& options) {
    if (options.request.terminal && options.request.input && ::isatty(STDIN_FILENO) == 0) {
        return fail(Errno::einval, "", "the input device is not a TTY");
    }
    ExecRequest request = options.request;
    request.env = OBLEA_TRY(read_env_files(options.env_files));
    request.env.insert(request.env.end(), options.request.env.begin(), options.request.env.end());
    auto const store = OBLEA_TRY(open_store(context));
    Container const container = OBLEA_TRY(need_container(store, options.name));
    auto const result = OBLEA_TRY(exec_in_container(store, container, request));
    if (!result.problem.empty()) {
        context.error(result.problem);
    }
    return result.exit_status;
}

}  // namespace

Command exec_command() {
    auto options = std::make_shared<ExecOptions>();
    ExecRequest& request = options->request;
    return {
        .name = "exec",
        .aliases = {"container exec"},
        .section = Command::Section::containers,
        .summary = "Run a further command in a running container",
        .description = "With the container's environment, working folder and user, unless others "
                       "are given. The exit status is the command's; 126 when it cannot be "
                       "executed, 127 when it is not found.",
        .operands = {{.name = "CONTAINER", .help = "Name or id", .target = &options->name},
                     {.name = "COMMAND",
                      .help = "The command and its arguments",
                      .target = &request.command}},
        .options = {{.names = "-i,--interactive",
                     .value_name = "",
                     .help = "Hand standard input on",
                     .target = &request.input},
                    {.names = "-t,--tty",
                     .value_name = "",
                     .help = "Give it a terminal",
                     .target = &request.terminal},
                    {.names = "-d,--detach",
                     .value_name = "",
                     .help = "Let it run in the background",
                     .target = &request.detached},
                    {.names = "-e,--env",
                     .value_name = "NAME=VALUE",
                     .help = "Set a variable; NAME alone hands yours on",
                     .target = &request.env},
                    {.names = "--env-file",
                     .value_name = "FILE",
                     .help = "Set the variables of a file, one a line",
                     .target = &options->env_files},
                    {.names = "-w,--workdir",
                     .value_name = "DIR",
                     .help = "Working folder inside",
                     .target = &request.workdir},
                    {.names = "-u,--user",
                     .value_name = "USER[:GROUP]",
                     .help = "User inside, by name or number",
                     .target = &request.user}},
        .examples = {{"oblea exec -it web sh", "A shell beside what runs in 'web'"}},
        .options_end = Command::OptionsEnd::first_operand,
        .run = [options](Context& context) { return exec(context, *options); },
    };
}

}  // namespace oblea::tools
