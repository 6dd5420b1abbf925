// SPDX-License-Identifier: MIT
#include "tools/monitor/runtime.h"

#include "store/base/sys.h"
#include "tools/mount/background.h"
#include "tools/mount/exit_code.h"

#include <fmt/format.h>
#include <linux/close_range.h>
#include <linux/magic.h>
#include <nlohmann/json.hpp>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <charconv>
#include <climits>
#include <csignal>
#include <cstdlib>
#include <functional>
#include <limits>

namespace oblea::tools {
namespace {

namespace sys = base::sys;
using base::UniqueFd;

constexpr std::string_view kOwnName = "oblea";
constexpr char const* kStateFolder = "runtime";
constexpr char const* kLog = "runtime.log";
constexpr char const* kPidFile = "init.pid";
constexpr char const* kCgroups = "/sys/fs/cgroup";
constexpr std::size_t kLogBytesMax = 1U << 20U;

bool is_program(std::string const& path) {
    auto const info = sys::fstatat(AT_FDCWD, path.c_str(), 0);
    return info.has_value() && S_ISREG(info->st_mode) && ::access(path.c_str(), X_OK) == 0;
}

std::optional<std::string> find_program(std::string const& name) {
    if (name.find('/') != std::string::npos) {
        return is_program(name) ? std::optional{name} : std::nullopt;
    }
    char const* path = std::getenv("PATH");
    // runc lives in sbin, which ordinary users do not search.
    std::string folders = (path != nullptr ? std::string{path} + ':' : std::string{}) +
                          "/usr/bin:/usr/sbin:/usr/local/bin:/usr/local/sbin";
    std::size_t at = 0;
    while (at <= folders.size()) {
        std::size_t const end = std::min(folders.find(':', at), folders.size());
        std::string const candidate = folders.substr(at, end - at) + '/' + name;
        if (is_program(candidate)) {
            return candidate;
        }
        at = end + 1;
    }
    return std::nullopt;
}

// The last thing that the runtime had to say.
std::string last_message(int bundle) {
    auto const text = sys::read_file(bundle, kLog, kLogBytesMax);
    std::string message;
    if (!text.has_value()) {
        return message;
    }
    std::string_view rest = *text;
    while (!rest.empty()) {
        auto const end = rest.find('\n');
        auto const line = nlohmann::json::parse(rest.substr(0, end), nullptr, false);
        rest = end == std::string_view::npos ? std::string_view{} : rest.substr(end + 1);
        if (line.is_object() && line.contains("msg") && line["msg"].is_string() &&
            line.value("level", "error") != "warning") {
            message = line["msg"].get<std::string>();
        }
    }
    return message;
}

Result<pid_t> read_pid(int bundle) {
    std::string const text = OBLEA_TRY(sys::read_file(bundle, kPidFile, 64));
    pid_t pid = 0;
    auto const [end, error] = std::from_chars(text.data(), text.data() + text.size(), pid);
    if (error != std::errc{} || pid <= 0) {
        return fail(Errno::eio, "", "the runtime did not tell the process it made");
    }
    return pid;
}

// Whether crun takes the machine's cgroups as they are: all of version 2, or all of version 1,
// whose folders lie in a tmpfs. It refuses a mixture, and a bare sysfs as a chroot has it.
bool suits_crun() {
    struct statfs info{};
    if (::statfs(kCgroups, &info) != 0) {
        return true;  // there is nothing to cover; crun says what it misses
    }
    bool const mixed =
        sys::read_file(AT_FDCWD, "/sys/fs/cgroup/unified/cgroup.controllers", 4096).has_value();
    return info.f_type == CGROUP2_SUPER_MAGIC || (info.f_type == TMPFS_MAGIC && !mixed);
}

// In a chroot the root folder is none that is mounted, and cannot be swapped: crun and runc fail
// there ("set propagation for `/`: Invalid argument").
bool has_mounted_root() {
    struct statx info{};
    constexpr std::uint64_t kMountRoot = STATX_ATTR_MOUNT_ROOT;
    return ::statx(AT_FDCWD, "/", AT_NO_AUTOMOUNT, STATX_TYPE, &info) != 0 ||
           (info.stx_attributes_mask & kMountRoot) == 0 || (info.stx_attributes & kMountRoot) != 0;
}

void give_streams(StandardStreams const& streams) {
    int const null = ::open("/dev/null", O_RDWR | O_CLOEXEC);
    auto const give = [&](int from, int to) { ::dup2(from >= 0 ? from : null, to); };
    give(streams.in, STDIN_FILENO);
    give(streams.out, STDOUT_FILENO);
    give(streams.err, STDERR_FILENO);
}

// Into an open folder, and by its path where that leads to it: one that was opened in another mount
// namespace has no path for getcwd(3), without which runc gives up.
bool enter(int folder) {
    std::array<char, PATH_MAX> path{};
    bool const named = ::readlink(sys::proc_path(folder).c_str(), path.data(), path.size() - 1) > 0;
    struct stat wanted{};
    struct stat found{};
    if (named && ::fstat(folder, &wanted) == 0 && ::stat(path.data(), &found) == 0 &&
        wanted.st_dev == found.st_dev && wanted.st_ino == found.st_ino) {
        return ::chdir(path.data()) == 0;
    }
    return ::fchdir(folder) == 0;
}

[[noreturn]] void execute(std::vector<std::string> arguments, int folder) {
    bool const moved = folder < 0 || enter(folder);
    ::close_range(3, std::numeric_limits<unsigned>::max(), CLOSE_RANGE_CLOEXEC);
    sigset_t none;
    ::sigemptyset(&none);
    ::sigprocmask(SIG_SETMASK, &none, nullptr);
    for (int const signal : {SIGPIPE, SIGINT, SIGQUIT, SIGTERM, SIGHUP}) {
        static_cast<void>(std::signal(signal, SIG_DFL));
    }
    std::vector<char*> pointers;
    for (std::string& argument : arguments) {
        pointers.push_back(argument.data());
    }
    pointers.push_back(nullptr);
    if (moved) {
        ::execvp(pointers.front(), pointers.data());
    }
    ::_exit(exit_code::kNotFound);
}

// A child that ends with what `body` returns.
Result<pid_t> fork_with(StandardStreams const& streams, std::function<int()> const& body) {
    std::fflush(nullptr);
    pid_t const pid = ::fork();
    if (pid < 0) {
        return fail(sys::last_errno(), "fork");
    }
    if (pid == 0) {
        give_streams(streams);
        int const status = body();
        std::fflush(nullptr);
        ::_exit(status);
    }
    return pid;
}

int end_of(Result<int> const& exec) {
    if (!exec.has_value()) {
        fmt::print(stderr, "oblea: {}\n", exec.error().message());
    }
    return exec.value_or(exit_code::kOwnFailure);
}

}  // namespace

Result<pid_t> spawn(std::vector<std::string> arguments, int folder, StandardStreams const& streams,
                    ChildLife life) {
    pid_t const caller = ::getpid();
    return fork_with(streams, [&]() -> int {
        if (life == ChildLife::with_caller) {
            ::prctl(PR_SET_PDEATHSIG, SIGKILL);
            if (::getppid() != caller) {
                return exit_code::kNotFound;
            }
        }
        execute(std::move(arguments), folder);
    });
}

Result<Runtime> Runtime::find() {
    if (char const* asked = std::getenv("OBLEA_RUNTIME"); asked != nullptr && *asked != '\0') {
        if (std::string_view{asked} == kOwnName) {
            return Runtime{""};
        }
        auto const program = find_program(asked);
        if (!program.has_value()) {
            return fail(Errno::enoent, "",
                        fmt::format("OBLEA_RUNTIME names {}, which is not there", asked));
        }
        return Runtime{*program};
    }
    if (!has_mounted_root()) {
        return Runtime{""};
    }
    for (char const* name : {"crun", "runc"}) {
        if (auto program = find_program(name)) {
            return Runtime{*std::move(program)};
        }
    }
    return Runtime{""};
}

bool Runtime::is_crun() const {
    return program_.ends_with("crun");
}

Status Runtime::prepare_namespace() const {
    if (is_own() || !is_crun() || suits_crun()) {
        return {};
    }
    if (::mount("none", kCgroups, "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, "size=64k,mode=755") !=
        0) {
        return fail(sys::last_errno(), "mount", kCgroups);
    }
    return {};
}

std::vector<std::string> Runtime::command(std::vector<std::string> rest) const {
    std::vector<std::string> all{program_, "--root",       kStateFolder, "--log",
                                 kLog,     "--log-format", "json"};
    if (is_crun()) {
        // No limits are asked for, and what needs cgroups fails where there are none.
        all.emplace_back("--cgroup-manager=disabled");
    }
    all.insert(all.end(), std::make_move_iterator(rest.begin()),
               std::make_move_iterator(rest.end()));
    return all;
}

Result<pid_t> Runtime::exec(Exec const& exec, StandardStreams const& streams) const {
    if (is_own()) {
        return fork_with(streams, [&] { return end_of(exec_in_own(exec.what)); });
    }
    std::vector<std::string> rest{"exec"};
    if (exec.what.wait == OwnExec::Wait::no) {
        rest.emplace_back("--detach");
    }
    rest.insert(rest.end(), {"--process", exec.what.process, exec.id});
    return spawn(command(std::move(rest)), exec.what.bundle, streams);
}

Status Runtime::run(int bundle, std::vector<std::string> rest) const {
    std::string const what = rest.front();
    pid_t const pid =
        OBLEA_TRY(spawn(command(std::move(rest)), bundle, {}, ChildLife::with_caller));
    int const status = OBLEA_TRY(wait_for_child(pid));
    if (status != 0) {
        return fail(Errno::eio, "", fmt::format("{} {}: {}", program_, what, last_message(bundle)));
    }
    return {};
}

Result<pid_t> Runtime::create(int bundle, std::string const& id, StandardStreams const& streams,
                              std::optional<std::string> const& console_socket) {
    if (is_own()) {
        own_.emplace(OBLEA_TRY(OwnContainer::create(bundle, streams, console_socket)));
        return own_->init();
    }
    OBLEA_TRY(sys::unlink_if_exists(bundle, kLog));
    OBLEA_TRY(sys::unlink_if_exists(bundle, kPidFile));
    // What an earlier life left, if its monitor could not tidy up.
    OBLEA_TRY(sys::remove_tree(bundle, kStateFolder));
    std::vector<std::string> rest{"create", "--bundle", ".", "--pid-file", kPidFile};
    if (console_socket.has_value()) {
        rest.insert(rest.end(), {"--console-socket", *console_socket});
    }
    rest.push_back(id);
    pid_t const pid =
        OBLEA_TRY(spawn(command(std::move(rest)), bundle, streams, ChildLife::with_caller));
    int const status = OBLEA_TRY(wait_for_child(pid));
    if (status != 0) {
        std::string const said = last_message(bundle);
        return fail(
            Errno::eio, "",
            fmt::format("{}: {}", program_, said.empty() ? "it failed without a word" : said));
    }
    return read_pid(bundle);
}

Status Runtime::start(int bundle, std::string const& id) {
    if (is_own()) {
        return own_.has_value() ? own_->start() : Status{fail(Errno{ESRCH}, "start")};
    }
    return run(bundle, {"start", id});
}

Status Runtime::remove(int bundle, std::string const& id) const {
    if (is_own()) {
        return own_.has_value() ? own_->kill() : Status{};
    }
    return run(bundle, {"delete", "--force", id});
}

}  // namespace oblea::tools
