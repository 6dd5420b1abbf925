// SPDX-License-Identifier: MIT
#include "store/base/sys.h"
#include "tools/cli/open_store.h"
#include "tools/commands/commands.h"
#include "tools/container/container_state.h"
#include "tools/container/process_table.h"
#include "tools/container/processes.h"
#include "tools/monitor/runtime.h"
#include "tools/mount/background.h"

#include <fmt/format.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <memory>

namespace oblea::tools {

namespace {

namespace sys = base::sys;
using base::UniqueFd;

constexpr char const* kPs = "/bin/ps";

struct TopOptions {
    std::string container;
    std::vector<std::string> ps_options;
};

// What ps prints of all processes of the machine; its own complaints go where ours do.
Result<std::string> list_processes(std::vector<std::string> const& options) {
    if (::access(kPs, X_OK) != 0) {
        return fail(Errno::enoent, "",
                    "processes are listed by ps, which is not installed: install the package "
                    "procps");
    }
    std::vector<std::string> command{kPs};
    command.insert(command.end(), options.begin(), options.end());
    if (options.empty()) {
        command.emplace_back("-ef");
    }
    std::array<int, 2> ends{};
    if (::pipe2(ends.data(), O_CLOEXEC) != 0) {
        return fail(sys::last_errno(), "pipe2");
    }
    UniqueFd const reader{ends[0]};
    UniqueFd writer{ends[1]};
    UniqueFd const folder = OBLEA_TRY(sys::open("/", O_RDONLY | O_DIRECTORY));
    pid_t const pid = OBLEA_TRY(spawn(std::move(command), folder.get(),
                                      {.in = -1, .out = writer.get(), .err = STDERR_FILENO},
                                      ChildLife::with_caller));
    writer.reset();
    std::string text;
    std::array<std::byte, 16384> buffer{};
    for (;;) {
        std::size_t const count = OBLEA_TRY(sys::read_some(reader.get(), buffer));
        if (count == 0) {
            break;
        }
        text += base::text_of(base::ByteView{buffer}.first(count));
    }
    int const status = OBLEA_TRY(wait_for_child(pid));
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
        return fail(Errno::einval, "",
                    fmt::format("ps ended with status {}",
                                WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status)));
    }
    return text;
}

Result<int> top(Context& context, TopOptions const& options) {
    auto const store = OBLEA_TRY(open_store(context));
    Container const container = OBLEA_TRY(need_container(store, options.container));
    ContainerState const state = OBLEA_TRY(observe_state(store, container));
    if (!state.has_processes()) {
        return fail(Errno{ESRCH}, "", fmt::format("Container {} is not running", container.name));
    }
    auto const processes = OBLEA_TRY(processes_beside(static_cast<pid_t>(state.init_pid)));
    std::string const listed = OBLEA_TRY(list_processes(options.ps_options));
    context.print(OBLEA_TRY(select_processes(listed, processes)));
    return exit_code::kSuccess;
}

}  // namespace

Command top_command() {
    auto options = std::make_shared<TopOptions>();
    return {
        .name = "top",
        .aliases = {"container top"},
        .section = Command::Section::containers,
        .summary = "List the processes of a running container",
        .description = "As ps(1) of the machine sees them, with the machine's process numbers. "
                       "What stands behind the container are options of ps, -ef by default; its "
                       "output must have a column PID.",
        .operands = {{.name = "CONTAINER", .help = "Name or id", .target = &options->container},
                     {.name = "PS_OPTION",
                      .help = "Options of ps",
                      .target = &options->ps_options,
                      .least = 0}},
        .options = {},
        .examples = {{"oblea top web", "Who runs in 'web'"},
                     {"oblea top web -eo pid,rss,args", "And how much memory each takes"}},
        .options_end = Command::OptionsEnd::first_operand,
        .run = [options](Context& context) { return top(context, *options); },
    };
}

}  // namespace oblea::tools
