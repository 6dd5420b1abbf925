// SPDX-License-Identifier: MIT
#include "tools/monitor/exec.h"

#include "store/base/sys.h"
#include "tools/container/bundle.h"
#include "tools/container/cgroup.h"
#include "tools/container/container_state.h"
#include "tools/monitor/find_command.h"
#include "tools/monitor/monitor.h"
#include "tools/monitor/runtime.h"
#include "tools/mount/background.h"
#include "tools/mount/exit_code.h"
#include "tools/mount/private_server.h"
#include "tools/mount/user_spec.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>

namespace oblea::tools {
namespace {

namespace sys = base::sys;
using base::UniqueFd;

std::vector<std::string> own_environment() {
    std::vector<std::string> list;
    for (char** entry = environ; *entry != nullptr; ++entry) {
        list.emplace_back(*entry);
    }
    return list;
}

struct Prepared {
    ExecResult early;     // of a command that cannot be run
    std::string process;  // the file with its description
    UniqueFd folder;
};

// In the child, in the container's namespaces.
Result<Prepared> prepare(store::Store const& store, Container const& container,
                         ContainerState const& state, ExecRequest const& request) {
    RunConfig const config = OBLEA_TRY(run_config_of(container));
    Prepared prepared;
    prepared.folder =
        OBLEA_TRY(sys::openat(store.root(), container.folder().c_str(), O_RDONLY | O_DIRECTORY));
    OBLEA_TRY(join_namespaces(state.monitor_pid));
    UniqueFd const root =
        OBLEA_TRY(sys::open(fmt::format("/proc/{}/root", state.init_pid), O_RDONLY | O_DIRECTORY));
    std::string const passwd = OBLEA_TRY(read_in_root(root, "etc/passwd"));
    std::string const group = OBLEA_TRY(read_in_root(root, "etc/group"));
    Identity identity =
        OBLEA_TRY(resolve_user(request.user.empty() ? config.user : request.user, passwd, group));
    OBLEA_TRY(add_groups(identity, config.groups, group));
    auto env = OBLEA_TRY(plan_container_environment(
        {.image = config.env, .asked = request.env, .caller = own_environment(), .home = ""},
        request.terminal ? HasTerminal::yes : HasTerminal::no));
    std::string const workdir = request.workdir.empty() ? config.workdir : request.workdir;
    std::string const& program = request.command.front();
    auto const found =
        OBLEA_TRY(find_command(root, {.program = program, .env = env, .workdir = workdir}));
    if (found == CommandFound::no) {
        prepared.early = {.exit_status = exit_code::kNotFound,
                          .problem = program + ": not found in the container"};
    } else if (found == CommandFound::not_executable) {
        prepared.early = {.exit_status = exit_code::kNotExecutable,
                          .problem = program + ": cannot be executed: Permission denied"};
    }
    prepared.process = fmt::format("exec.{}.json", ::getpid());
    auto const capabilities = OBLEA_TRY(plan_capabilities(config.capabilities));
    std::string const text = make_process_config({.arguments = request.command,
                                                  .env = std::move(env),
                                                  .workdir = workdir,
                                                  .identity = identity,
                                                  .capabilities = capabilities,
                                                  .terminal = request.terminal,
                                                  .ulimits = config.limits.ulimits,
                                                  .hostname = hostname_of(config, container.id)});
    OBLEA_TRY(sys::replace_file(prepared.folder.get(), prepared.process.c_str(), text, 0600,
                                sys::Sync::no));
    return prepared;
}

std::string encode(ExecResult const& result) {
    nlohmann::json const document = {{"exit_status", result.exit_status},
                                     {"problem", result.problem}};
    return document.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

// Waits for the command with the caller's own streams; its exit status.
int run_command(Runtime const& runtime, Runtime::Exec exec, Prepared const& prepared,
                ExecRequest const& request) {
    using Wait = OwnExec::Wait;
    using Input = OwnExec::Input;
    exec.what.bundle = prepared.folder.get();
    exec.what.process = prepared.process;
    exec.what.wait = request.detached ? Wait::no : Wait::until_it_ends;
    exec.what.input = request.input ? Input::standard_input : Input::none;
    // Ctrl-C is for the command; whoever waits for it stays.
    static_cast<void>(std::signal(SIGINT, SIG_IGN));
    static_cast<void>(std::signal(SIGQUIT, SIG_IGN));
    bool const silent = request.detached;
    auto const pid =
        runtime.exec(exec, {.in = request.input || request.terminal ? STDIN_FILENO : -1,
                            .out = silent ? -1 : STDOUT_FILENO,
                            .err = silent ? -1 : STDERR_FILENO});
    int code = exit_code::kOwnFailure;
    if (pid.has_value()) {
        int const status = wait_for_child(*pid).value_or(exit_code::kOwnFailure << 8);
        code = exit_code::of_wait_status(status);
    }
    static_cast<void>(sys::unlink_if_exists(prepared.folder.get(), prepared.process.c_str()));
    return code;
}

}  // namespace

Result<ExecResult> exec_in_container(store::Store const& store, Container const& container,
                                     ExecRequest const& request) {
    ContainerState const state = OBLEA_TRY(observe_state(store, container));
    if (state.status == ContainerState::Status::paused) {
        return fail(Errno::ebusy, "",
                    fmt::format("Container {} is paused, unpause the container before exec",
                                container.name));
    }
    if (state.status != ContainerState::Status::running) {
        return fail(Errno{ESRCH}, "", fmt::format("container {} is not running", container.name));
    }
    Runtime const runtime = OBLEA_TRY(Runtime::find());
    store::StoreOptions const store_options = store.options();
    static_cast<void>(std::signal(SIGINT, SIG_IGN));
    Child const child = OBLEA_TRY(start_child(Parentage::own, {}, [&](Report& report) {
        // Before this process is in namespaces where the machine's cgroups are out of reach. runc
        // moves the command itself, and its own threads are none of the container's.
        auto const entered = runtime.makes_cgroups() ? Status{} : enter_cgroup(container.id);
        if (!entered.has_value()) {
            report.failure(entered.error());
            return exit_code::kOwnFailure;
        }
        auto const there = store::Store::open(store_options, store::Store::Create::no);
        auto const prepared = there.has_value()
                                  ? prepare(*there, container, state, request)
                                  : Result<Prepared>{std::unexpected<Error>(there.error())};
        if (!prepared.has_value()) {
            report.failure(prepared.error());
            return exit_code::kOwnFailure;
        }
        bool const run = prepared->early.exit_status == 0;
        static_cast<void>(report.success(encode(prepared->early)));
        Runtime::Exec exec{.id = container.id, .what = {}};
        exec.what.init = static_cast<pid_t>(state.init_pid);
        return run ? run_command(runtime, std::move(exec), *prepared, request)
                   : prepared->early.exit_status;
    }));
    int const status = OBLEA_TRY(wait_for_child(child.pid));
    auto const early = nlohmann::json::parse(child.report, nullptr, false);
    ExecResult result{.exit_status = exit_code::of_wait_status(status), .problem = {}};
    if (early.is_object()) {
        result.problem = early.value("problem", "");
    }
    return result;
}

}  // namespace oblea::tools
