// SPDX-License-Identifier: MIT
#include "tools/mount/jailed_command.h"

#include "store/base/scope_exit.h"
#include "store/base/sys.h"
#include "tools/mount/background.h"
#include "tools/mount/become_user.h"
#include "tools/mount/exit_code.h"
#include "tools/mount/leftovers.h"
#include "tools/mount/user_spec.h"

#include <fmt/core.h>
#include <poll.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <cstdio>

namespace oblea::tools {
namespace {

namespace sys = base::sys;
using base::UniqueFd;

// --- in the command's process

std::vector<std::string> own_environment() {
    std::vector<std::string> list;
    for (char** entry = environ; *entry != nullptr; ++entry) {
        list.emplace_back(*entry);
    }
    return list;
}

std::vector<char*> pointers_to(std::vector<std::string>& texts) {
    std::vector<char*> pointers;
    for (std::string& text : texts) {
        pointers.push_back(text.data());
    }
    pointers.push_back(nullptr);
    return pointers;
}

Status enter_workdir(Jail const& jail, ChrootRequest const& request) {
    if (!request.workdir.empty()) {
        return ::chdir(request.workdir.c_str()) == 0
                   ? Status{}
                   : Status{fail(sys::last_errno(), "chdir", request.workdir)};
    }
    if (!jail.defaults.workdir.empty() && ::chdir(jail.defaults.workdir.c_str()) != 0 &&
        request.warn) {
        request.warn(fmt::format("the image's working folder {} cannot be entered; starting in /",
                                 jail.defaults.workdir));
    }
    return {};
}

Result<UniqueFd> open_root(Jail const& jail) {
    // A mount inherited by a user namespace is locked in its place; a bind of it is not.
    if (::mount(jail.root.c_str(), jail.root.c_str(), nullptr, MS_BIND | MS_REC, nullptr) != 0) {
        return fail(sys::last_errno(), "mount", jail.root);
    }
    return sys::open(jail.root, O_PATH | O_DIRECTORY);
}

// Everything up to exec; returns the environment.
Result<std::vector<std::string>> enter_jail(Jail const& jail, ChrootRequest const& request) {
    if (::unshare(CLONE_NEWNS) != 0 ||
        ::mount("", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) {
        // EINVAL: inside a chroot; the mounts are slaves already and so stay here.
        if (sys::last_errno() != Errno::einval) {
            return fail(sys::last_errno(), "unshare");
        }
    }
    UniqueFd const root = OBLEA_TRY(open_root(jail));
    for (std::string const& line : OBLEA_TRY(show_machine(root, jail.rights))) {
        if (request.warn) {
            request.warn(line);
        }
    }
    std::string const passwd = OBLEA_TRY(read_in_root(root, "etc/passwd"));
    std::string const group = OBLEA_TRY(read_in_root(root, "etc/group"));
    Identity const identity = OBLEA_TRY(
        resolve_user(request.user.empty() ? jail.defaults.user : request.user, passwd, group));
    auto environment = OBLEA_TRY(plan_environment({.image = jail.defaults.env,
                                                   .asked = request.env,
                                                   .caller = own_environment(),
                                                   .home = identity.home}));
    OBLEA_TRY(change_root(root));
    OBLEA_TRY(become_user({.uid = identity.uid, .gid = identity.gid, .groups = identity.groups}));
    OBLEA_TRY(enter_workdir(jail, request));
    return environment;
}

void restore_signals() {
    for (int const signal : {SIGINT, SIGQUIT, SIGPIPE, SIGTERM, SIGHUP}) {
        static_cast<void>(std::signal(signal, SIG_DFL));
    }
    sigset_t none;
    ::sigemptyset(&none);
    ::sigprocmask(SIG_SETMASK, &none, nullptr);
}

Error explain_exec(Errno code, std::string const& program) {
    if (code == Errno::enoent) {
        return {code, "", program + ": not found in the image"};
    }
    return {code, "exec", program};
}

[[noreturn]] void run_command(Jail const& jail, ChrootRequest const& request, int errors) {
    auto environment = enter_jail(jail, request);
    Error problem{Errno::eio, "", ""};
    if (environment.has_value()) {
        std::vector<std::string> command = plan_command(jail.defaults, request.command);
        restore_signals();
        std::vector<char*> const variables = pointers_to(*environment);
        environ = const_cast<char**>(variables.data());  // NOLINT: execvp looks PATH up in it
        ::execvp(command.front().c_str(), pointers_to(command).data());
        problem = explain_exec(sys::last_errno(), command.front());
        problem.op = problem.code == Errno::enoent ? "" : "exec";
    } else {
        problem = std::move(environment).error();
    }
    std::string const text = (environment.has_value() ? "X" : "E") + encode_error(problem);
    static_cast<void>(sys::write_all(errors, base::bytes_of(text)));
    std::fflush(nullptr);
    ::_exit(problem.code == Errno::enoent ? exit_code::kNotFound : exit_code::kNotExecutable);
}

// --- in the keeper's process

Result<std::string> read_all(int fd) {
    std::string text;
    std::array<std::byte, 4096> part{};
    for (;;) {
        std::size_t const count = OBLEA_TRY(sys::read_some(fd, part));
        if (count == 0) {
            return text;
        }
        text += base::text_of(base::ByteView{part}.first(count));
    }
}

Result<UniqueFd> handed_on_signals() {
    sigset_t wanted;
    ::sigemptyset(&wanted);
    ::sigaddset(&wanted, SIGTERM);
    ::sigaddset(&wanted, SIGHUP);
    ::sigaddset(&wanted, SIGCHLD);  // for reap_adopted()
    ::sigprocmask(SIG_BLOCK, &wanted, nullptr);
    UniqueFd signals{::signalfd(-1, &wanted, SFD_CLOEXEC)};
    if (!signals.valid()) {
        return fail(sys::last_errno(), "signalfd");
    }
    return signals;
}

// Processes whose parents are gone come to this one: they must not stay as zombies, which others
// take for living ones (a database that was killed would not start again). The command and the
// server are waited for elsewhere.
void reap_adopted(pid_t command, pid_t server) {
    for (;;) {
        siginfo_t ended{};
        if (::waitid(P_ALL, 0, &ended, WEXITED | WNOHANG | WNOWAIT) != 0 || ended.si_pid == 0 ||
            ended.si_pid == command || ended.si_pid == server) {
            return;
        }
        ::waitpid(ended.si_pid, nullptr, 0);
    }
}

Status wait_handing_on(pid_t command, pid_t server, UniqueFd const& signals) {
    UniqueFd const process{static_cast<int>(::syscall(SYS_pidfd_open, command, 0U))};
    if (!process.valid()) {
        return fail(sys::last_errno(), "pidfd_open");
    }
    std::array<pollfd, 2> waiting{pollfd{.fd = process.get(), .events = POLLIN, .revents = 0},
                                  pollfd{.fd = signals.get(), .events = POLLIN, .revents = 0}};
    for (;;) {
        if (::poll(waiting.data(), waiting.size(), -1) < 0) {
            continue;
        }
        if (waiting[0].revents != 0) {
            return {};
        }
        signalfd_siginfo info{};
        if (::read(signals.get(), &info, sizeof(info)) != sizeof(info)) {
            continue;
        }
        if (info.ssi_signo == SIGCHLD) {
            reap_adopted(command, server);
        } else {
            ::kill(command, static_cast<int>(info.ssi_signo));
        }
    }
}

// What a command that could not be started leaves in the pipe; a started one leaves nothing.
Result<ChrootResult> judge(std::string const& left, int status) {
    ChrootResult result{
        .exit_status = exit_code::of_wait_status(status), .problem = {}, .kept = {}};
    if (left.empty()) {
        return result;
    }
    Error error = parse_error(std::string_view{left}.substr(1));
    if (left.front() != 'X') {
        return std::unexpected<Error>(std::move(error));
    }
    result.problem = error.message();
    return result;
}

}  // namespace

Result<ChrootResult> run_jailed(Jail const& jail, ChrootRequest const& request) {
    UniqueFd const signals = OBLEA_TRY(handed_on_signals());
    std::array<int, 2> ends{};
    if (::pipe2(ends.data(), O_CLOEXEC) != 0) {
        return fail(sys::last_errno(), "pipe2");
    }
    UniqueFd const reader{ends[0]};
    UniqueFd writer{ends[1]};
    std::fflush(nullptr);
    pid_t const command = ::fork();
    if (command < 0) {
        return fail(sys::last_errno(), "fork");
    }
    if (command == 0) {
        run_command(jail, request, writer.get());
    }
    writer.reset();
    std::string const left = OBLEA_TRY(read_all(reader.get()));
    OBLEA_TRY(wait_handing_on(command, jail.server, signals));
    int const status = OBLEA_TRY(wait_for_child(command));
    end_leftovers(jail.server);
    return judge(left, status);
}

}  // namespace oblea::tools
