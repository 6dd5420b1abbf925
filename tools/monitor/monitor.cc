// SPDX-License-Identifier: MIT
#include "tools/monitor/monitor.h"

#include "store/base/sys.h"
#include "tools/container/bundle.h"
#include "tools/container/cgroup.h"
#include "tools/container/container_state.h"
#include "tools/container/container_volumes.h"
#include "tools/container/fill_volumes.h"
#include "tools/container/frozen.h"
#include "tools/monitor/build_mounts.h"
#include "tools/monitor/clients.h"
#include "tools/monitor/find_command.h"
#include "tools/monitor/guard.h"
#include "tools/monitor/init_program.h"
#include "tools/monitor/log_file.h"
#include "tools/monitor/pasta.h"
#include "tools/monitor/published_ports.h"
#include "tools/monitor/runtime.h"
#include "tools/monitor/standard_io.h"
#include "tools/mount/exit_code.h"
#include "tools/mount/leftovers.h"
#include "tools/mount/private_server.h"
#include "tools/mount/rfc3339.h"
#include "tools/mount/serve_process.h"
#include "tools/mount/user_spec.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <charconv>
#include <chrono>
#include <csignal>

namespace oblea::tools {
namespace {

namespace sys = base::sys;
using base::UniqueFd;
using Clock = std::chrono::steady_clock;

constexpr int kDrainMs = 2000;
// Each reads as much of a stream as most pipes hold; the largest hold sixteen times that.
constexpr int kLateTurns = 20;
constexpr int kKillWaitMs = 10'000;
constexpr int kRestartFirstMs = 100;
constexpr int kRestartMaxMs = 60'000;
// One that has run so long counts as having started well.
constexpr auto kGoodRun = std::chrono::seconds{10};
constexpr std::size_t kSmallFileBytesMax = 1U << 20U;

std::string encode_outcome(StartOutcome const& outcome) {
    nlohmann::json const document = {{"exit_status", outcome.exit_status},
                                     {"problem", outcome.problem}};
    return document.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

Result<StartOutcome> parse_outcome(std::string const& text) {
    auto const document = nlohmann::json::parse(text, nullptr, false);
    if (!document.is_object()) {
        return fail(Errno::eio, "", "the monitor's report cannot be read: " + text);
    }
    return StartOutcome{.exit_status = document.value("exit_status", 1),
                        .problem = document.value("problem", "")};
}

int number_in(std::string_view text) {
    int number = 0;
    std::from_chars(text.data(), text.data() + text.size(), number);
    return number;
}

class Monitor {
public:
    // `caller` is the process that this one ends with; 0: none.
    Monitor(store::Store const& store, Container const& container, RunConfig config, Begin begin,
            Runtime runtime, pid_t caller)
        : store_(store), container_(container), config_(std::move(config)), begin_(begin),
          runtime_(std::move(runtime)), caller_(caller) {}

    // From the lock to the end. What goes wrong before the container is ready is reported.
    int run(Report& report) {
        auto const prepared = prepare();
        if (!prepared.has_value()) {
            tidy_cgroups();
            report.failure(prepared.error());
            return 1;
        }
        auto ready = make_ready();
        if (!ready.has_value() || ready->exit_status != 0) {
            settle_failure(ready);
            finish(ready.has_value() ? ready->exit_status : 1);
            if (!ready.has_value()) {
                report.failure(ready.error());
            } else {
                static_cast<void>(report.success(encode_outcome(*ready)));
            }
            return 1;
        }
        if (begin_ == Begin::at_once) {
            if (auto const begun = start_command(); !begun.has_value()) {
                tidy_run();
                finish(1);
                report.failure(begun.error());
                return 1;
            }
        }
        // From here on nobody waits for us, and nobody reads what we print.
        static_cast<void>(redirect_standard_streams(log_.get()));
        static_cast<void>(report.success(encode_outcome({})));
        int const code = live();
        if (config_.build.has_value() && code == 0) {
            keep_mounted(code);
        }
        finish(code);
        return 0;
    }

private:
    // --- once

    Status prepare() {
        OBLEA_TRY(settle_process());
        folder_ = OBLEA_TRY(
            sys::openat(store_.root(), container_.folder().c_str(), O_RDONLY | O_DIRECTORY));
        // Puts in order what a lost monitor left, as long as we have no lock.
        state_ = OBLEA_TRY(observe_state(store_, container_));
        state_.restarts = 0;
        auto lock = OBLEA_TRY(try_monitor_lock(store_, container_));
        if (!lock.has_value()) {
            return fail(Errno::ebusy, "", "container " + container_.name + " runs already");
        }
        lock_ = *std::move(lock);
        OBLEA_TRY(hold_ports());
        log_ = OBLEA_TRY(sys::openat(folder_.get(), "log", O_WRONLY | O_CREAT | O_APPEND));
        signals_ = OBLEA_TRY(block_signals());
        OBLEA_TRY(make_cgroup());
        rights_ = OBLEA_TRY(enter_private_namespaces(
            [](std::string const& message) { fmt::print(stderr, "oblea: {}\n", message); }));
        if (caller_ != 0) {
            end_with_parent();  // and only now: a change of user makes the kernel forget it
            if (is_orphan()) {
                return fail(Errno::ecanceled, "", "the process that wanted the container is gone");
            }
        }
        OBLEA_TRY(runtime_.prepare_namespace());
        PrivateMount const mount{.source = {.image = {}, .container = container_.id},
                                 .contents = config_.verify ? store::Contents::verified
                                                            : store::Contents::trusted};
        server_ = OBLEA_TRY(serve_privately(store_.options(), mount));
        OBLEA_TRY(prepare_volumes());
        clients_.emplace(OBLEA_TRY(listen_for_clients(store_, container_)));
        if (config_.build.has_value()) {
            OBLEA_TRY(build_mounts_.make(store_, store_.path() + '/' + container_.folder(),
                                         *config_.build));
        }
        return {};
    }

    // Before this process is in namespaces where the machine's are out of reach.
    Status make_cgroup() {
        if (!config_.limits.want_cgroup()) {
            return {};
        }
        cgroup_.emplace(OBLEA_TRY(Cgroup::make(container_.id, config_.limits)));
        for (std::string const& warning : cgroup_->warnings()) {
            fmt::print(stderr, "oblea: WARNING: {}\n", warning);
        }
        return {};
    }

    void tidy_cgroups() const {
        if (cgroup_.has_value()) {
            cgroup_->remove();
        }
        if (runtime_.makes_cgroups()) {
            remove_cgroups(container_.id);
        }
    }

    Status prepare_volumes() {
        UniqueFd const root =
            OBLEA_TRY(sys::open(server_->info.mount_point, O_RDONLY | O_DIRECTORY));
        using Use = ContainerTree::Use;
        OBLEA_TRY(fill_volumes(store_, config_,
                               {.root = root,
                                .ids = container_.owner_ids,
                                .use = state_.started.empty() ? Use::first : Use::again}));
        volume_binds_ = OBLEA_TRY(volume_binds(store_, config_));
        return {};
    }

    // From before the first run until after the last: connections wait while it starts again.
    Status hold_ports() {
        if (config_.network == Network::published && !ports_.has_value()) {
            ports_.emplace(OBLEA_TRY(PublishedPorts::listen(config_.ports)));
        }
        return {};
    }

    // Where the runtime reads what it is to make, and keeps what it has made.
    [[nodiscard]] int bundle() const {
        int const secret = build_mounts_.secret_bundle();
        return secret >= 0 ? secret : folder_.get();
    }

    [[nodiscard]] bool is_orphan() const { return caller_ != 0 && ::getppid() != caller_; }

    static sigset_t signals_for_us() {
        sigset_t wanted;
        ::sigemptyset(&wanted);
        for (int const signal : {SIGTERM, SIGINT, SIGHUP, SIGCHLD}) {
            ::sigaddset(&wanted, signal);
        }
        return wanted;
    }

    static Result<UniqueFd> block_signals() {
        sigset_t const wanted = signals_for_us();
        ::sigprocmask(SIG_BLOCK, &wanted, nullptr);
        UniqueFd signals{::signalfd(-1, &wanted, SFD_CLOEXEC | SFD_NONBLOCK)};
        if (!signals.valid()) {
            return fail(sys::last_errno(), "signalfd");
        }
        return signals;
    }

    // But for those that came before.
    void let_signals_end_us() {
        signalfd_siginfo info{};
        while (::read(signals_.get(), &info, sizeof(info)) == sizeof(info)) {
        }
        sigset_t const wanted = signals_for_us();
        ::sigprocmask(SIG_UNBLOCK, &wanted, nullptr);
    }

    // --- for each run

    // Up to a first process that waits for start_command().
    Result<StartOutcome> make_ready() {
        UniqueFd const root =
            OBLEA_TRY(sys::open(server_->info.mount_point, O_RDONLY | O_DIRECTORY));
        std::string const passwd = OBLEA_TRY(read_in_root(root, "etc/passwd"));
        std::string const group = OBLEA_TRY(read_in_root(root, "etc/group"));
        Identity identity = OBLEA_TRY(resolve_user(config_.user, passwd, group));
        OBLEA_TRY(add_groups(identity, config_.groups, group));
        OBLEA_TRY(make_workdir(root, config_.workdir));
        CommandFound const found =
            OBLEA_TRY(find_command(root, {.program = config_.arguments().front(),
                                          .env = config_.env,
                                          .workdir = config_.workdir}));
        // What a volume brings is only there later: then the runtime is the one to say.
        bool const brings =
            !config_.binds.empty() || !volume_binds_.empty() || !build_mounts_.binds().empty();
        if (found != CommandFound::yes && !brings) {
            return cannot_run(found);
        }
        OBLEA_TRY(write_bundle(identity));
        io_.emplace(OBLEA_TRY(StandardIo::make({.folder = folder_.get(),
                                                .terminal = config_.terminal,
                                                .open_input = config_.open_input})));
        guard_.emplace(OBLEA_TRY(Guard::start(container_.id)));
        pid_t const init = OBLEA_TRY(
            runtime_.create(bundle(), container_.id, io_->container_side(), io_->console_socket()));
        init_ = init;
        OBLEA_TRY(guard_->watch(init));
        if (rights_ == Rights::machine_root) {
            OBLEA_TRY(forbid_devices_at_root(init));
        }
        if (cgroup_.has_value()) {
            OBLEA_TRY(cgroup_->add(init));
        }
        OBLEA_TRY(io_->attach());
        if (config_.network == Network::published) {
            pasta_ = OBLEA_TRY(start_pasta(config_.ports, init, folder_.get()));
            OBLEA_TRY(guard_->watch(pasta_));
            OBLEA_TRY(hold_ports());
            if (!ports_->empty()) {
                forwarder_ = OBLEA_TRY(ports_->forward_to(init));
            }
        }
        return StartOutcome{};
    }

    StartOutcome cannot_run(CommandFound found) const {
        std::string const program = config_.arguments().front();
        return found == CommandFound::no
                   ? StartOutcome{exit_code::kNotFound, program + ": not found in the image"}
                   : StartOutcome{exit_code::kNotExecutable,
                                  program + ": cannot be executed: Permission denied"};
    }

    Status write_bundle(Identity const& identity) {
        std::string const hostname = hostname_of(config_, container_.id);
        std::vector<BindMount> files;
        auto const add = [&](char const* name, std::string_view text) -> Status {
            files.push_back({.source = store_.path() + '/' + container_.folder() + '/' + name,
                             .target = std::string{"/etc/"} + name});
            return sys::replace_file(folder_.get(), name, text, 0644, sys::Sync::no);
        };
        auto const machine = [](char const* path) {
            return sys::read_file(AT_FDCWD, path, kSmallFileBytesMax).value_or("");
        };
        OBLEA_TRY(add("hostname", hostname + '\n'));
        OBLEA_TRY(add("hosts", hosts_text(machine("/etc/hosts"), hostname, config_.names)));
        OBLEA_TRY(add("resolv.conf", resolv_conf_text(machine("/etc/resolv.conf"), config_.names)));
        files.insert(files.end(), build_mounts_.binds().begin(), build_mounts_.binds().end());
        RunConfig shown = config_;
        if (config_.init) {
            files.push_back({.source = OBLEA_TRY(find_init()),
                             .target = kInitInside,
                             .access = BindMount::Access::read_only});
            shown.entrypoint = below_init(config_.arguments());
            shown.command.clear();
        }
        shown.binds.insert(shown.binds.end(), volume_binds_.begin(), volume_binds_.end());
        find_kinds(shown.binds);
        find_kinds(files);
        shown.env.insert(shown.env.end(), build_mounts_.variables().begin(),
                         build_mounts_.variables().end());
        auto const capabilities = OBLEA_TRY(plan_capabilities(config_.capabilities));
        bool const shows_devices = rights_ == Rights::machine_root || runtime_.is_own();
        auto const devices =
            shows_devices ? OBLEA_TRY(harmless_devices()) : std::vector<std::string>{};
        std::vector<DeviceNumbers> allowed;
        for (Device const& device : config_.devices) {
            allowed.push_back(OBLEA_TRY(find_device(device)));
        }
        // Where we find it again; in a user namespace no runtime makes one.
        bool const own_cgroup = runtime_.makes_cgroups() && rights_ == Rights::machine_root;
        std::string const text =
            make_bundle_config({.config = shown,
                                .root = server_->info.mount_point,
                                .hostname = hostname,
                                .identity = identity,
                                .rights = rights_,
                                .ids = container_.owner_ids,
                                .capabilities = capabilities,
                                .files = std::move(files),
                                .devices = devices,
                                .allowed = allowed,
                                .cgroup = own_cgroup ? cgroup_path(container_.id) : std::string{}});
        return sys::replace_file(bundle(), "config.json", text, 0600, sys::Sync::no);
    }

    Status start_command() {
        OBLEA_TRY(runtime_.start(bundle(), container_.id));
        begin_ = Begin::at_once;
        begun_ = true;
        began_ = Clock::now();
        state_.status = ContainerState::Status::running;
        state_.monitor_pid = ::getpid();
        state_.init_pid = init_;
        state_.init_started = process_start(init_).value_or(0);
        state_.started = rfc3339_now();
        state_.finished.clear();
        state_.exit_code = 0;
        state_.error.clear();
        state_.oom_killed = false;
        oom_kills_ = cgroup_.has_value() ? cgroup_->oom_kills() : 0;
        OBLEA_TRY(open_output_log());
        return write_state(store_, container_, state_);
    }

    Status open_output_log() {
        if (output_log_.has_value()) {
            return {};
        }
        output_log_.emplace(
            OBLEA_TRY(sys::openat(folder_.get(), kContainerLog, O_WRONLY | O_CREAT | O_APPEND)));
        return {};
    }

    // Runs, and runs again where that is asked for; the last exit status.
    int live() {
        for (;;) {
            while (!wait_status_.has_value()) {
                turn(-1);
                if (told_to_begin_ && !begun_) {
                    begin_or_give_up();
                }
            }
            drain();
            int const code = settle_end();
            unsigned const restarts = Clock::now() - began_ > kGoodRun ? 0 : restarts_in_a_row_;
            read_restart_policy();
            auto const wait_ms = decide_restart_ms(
                config_.restart, {.exit_code = code, .restarts = restarts, .stopped = stopped_});
            if (!wait_ms.has_value() || server_lost_ || !restart_after(*wait_ms, restarts)) {
                return code;
            }
        }
    }

    // What a step of a build has changed is read where it is mounted already, until
    // release_container(), or the end of who would read it.
    void keep_mounted(int code) {
        clients_->send_to_all(Frame::Kind::exit, std::to_string(code));
        while (stopped_ == EndOfRun::Stopped::by_itself && !server_lost_) {
            turn(-1);
        }
    }

    // 'oblea update' may have changed it meanwhile.
    void read_restart_policy() {
        auto const now = need_container(store_, container_.id);
        if (!now.has_value()) {
            return;  // removed below us: what was asked for at first holds
        }
        if (auto const config = run_config_of(*now); config.has_value()) {
            config_.restart = config->restart;
        }
    }

    void begin_or_give_up() {
        auto const begun = start_command();
        if (!begun.has_value()) {
            state_.error = begun.error().message();
            clients_->send_output(LogStream::err, "oblea: " + state_.error + "\r\n");
            signal_init(SIGKILL);
            told_to_begin_ = false;
        }
    }

    bool restart_after(int wait_ms, unsigned restarts) {
        state_.status = ContainerState::Status::restarting;
        ++state_.restarts;
        restarts_in_a_row_ = restarts + 1;
        static_cast<void>(write_state(store_, container_, state_));
        auto const until = Clock::now() + std::chrono::milliseconds{wait_ms};
        while (Clock::now() < until && stopped_ == EndOfRun::Stopped::by_itself && !server_lost_) {
            auto const left =
                std::chrono::duration_cast<std::chrono::milliseconds>(until - Clock::now());
            turn(std::max(1, static_cast<int>(left.count())));
        }
        bool again = stopped_ == EndOfRun::Stopped::by_itself && !server_lost_;
        if (again) {
            begun_ = false;
            auto const ready = make_ready();
            again = ready.has_value() && ready->exit_status == 0 && start_command().has_value();
            if (!again) {
                settle_failure(ready);
                tidy_run();
            }
        }
        if (!again) {
            state_.status = ContainerState::Status::exited;
            static_cast<void>(write_state(store_, container_, state_));
        }
        return again;
    }

    // What is left to read when the first process has ended: no more than its pipes hold, so all of
    // it, however much waits for clients already. Who outlives it and has the pipes open is not
    // waited for; but what is there is read, also where the time went by without us.
    void drain() {
        auto const until = Clock::now() + std::chrono::milliseconds{kDrainMs};
        for (int late = 0; io_->has_output() && late < kLateTurns;
             late += Clock::now() < until ? 0 : 1) {
            turn(50, Output::all);
        }
    }

    // Notes the end of a run; its exit status.
    int settle_end() {
        int const status = *wait_status_;
        frozen_.reset();
        int const code = exit_code::of_wait_status(status);
        tidy_run();
        if (output_log_.has_value()) {
            output_log_->finish();
        }
        state_.status = ContainerState::Status::exited;
        state_.exit_code = code;
        state_.finished = rfc3339_now();
        state_.oom_killed = cgroup_.has_value() && cgroup_->oom_kills() > oom_kills_;
        state_.init_pid = 0;
        if (server_lost_) {
            state_.error = "the file system's server was lost";
        }
        static_cast<void>(write_state(store_, container_, state_));
        return code;
    }

    void settle_failure(Result<StartOutcome> const& ready) {
        state_.error = ready.has_value() ? ready->problem : ready.error().message();
        state_.exit_code = ready.has_value() ? ready->exit_status : exit_code::kOwnFailure;
        static_cast<void>(write_state(store_, container_, state_));
        tidy_run();
    }

    // Ends what belongs to one run.
    void tidy_run() {
        // Of one that has ended the runtime has nothing but its state, which goes with the
        // container, or before the next run.
        if (init_ > 0 && !wait_status_.has_value()) {
            static_cast<void>(runtime_.remove(bundle(), container_.id));
            auto const until = Clock::now() + std::chrono::milliseconds{kKillWaitMs};
            while (!wait_status_.has_value() && Clock::now() < until) {
                turn(100);
            }
        }
        init_ = 0;
        wait_status_.reset();
        if (pasta_ > 0) {
            ::kill(pasta_, SIGTERM);
            pasta_ = 0;
        }
        forwarder_.line.reset();  // it ends by itself, when its last connection has
        forwarder_.pid = -1;
        guard_.reset();
        io_.reset();
    }

    // The end of it all: nothing stays mounted. Clients hear of it last.
    void finish(int code) {
        bool const orphan = is_orphan();
        if (config_.build.has_value()) {
            using Trees = BuildMounts::Trees;
            build_mounts_.end(store_, *config_.build, orphan ? Trees::remove : Trees::keep);
        }
        if (server_.has_value() && !server_lost_) {
            if (auto const ended = end_private_server(*server_); !ended.has_value()) {
                fmt::print(stderr, "oblea: {}\n", ended.error().message());
            }
        }
        if (server_lost_) {
            end_leftovers(-1);  // what it has left serving
        }
        if (config_.remove_at_end || orphan) {
            if (auto const removed = remove_container(store_, container_); !removed.has_value()) {
                fmt::print(stderr, "oblea: {}\n", removed.error().message());
            } else {
                remove_unnamed_volumes(store_, config_);
            }
        }
        ports_.reset();
        tidy_cgroups();
        lock_.reset();
        if (clients_.has_value()) {
            clients_->send_to_all(Frame::Kind::exit, std::to_string(code));
            // Who reads by a pager may take hours. Nothing is left to be tidied up by then, so that
            // any signal may end it.
            let_signals_end_us();
            clients_->see_off();
        }
    }

    // --- one turn of the loop

    enum class Output { as_clients_have_room, all };
    void turn(int timeout_ms, Output output = Output::as_clients_have_room) {
        std::vector<pollfd> waiting;
        waiting.push_back({.fd = signals_.get(), .events = POLLIN, .revents = 0});
        bool const room = output == Output::all || clients_->has_room();
        std::size_t const io_at = waiting.size();
        if (io_.has_value()) {
            io_->add_to(waiting, room ? StandardIo::Output::read : StandardIo::Output::leave);
        }
        std::size_t const clients_at = waiting.size();
        bool const input_room = !io_.has_value() || io_->has_input_room();
        clients_->add_to(waiting, input_room ? Clients::Input::read : Clients::Input::leave);
        if (::poll(waiting.data(), waiting.size(), timeout_ms) < 0) {
            return;
        }
        std::span<pollfd const> const seen{waiting};
        if (io_.has_value()) {
            io_->handle(seen.subspan(io_at, clients_at - io_at),
                        [&](LogStream stream, std::string_view bytes) {
                            if (output_log_.has_value()) {
                                output_log_->add(stream, bytes);
                            }
                            clients_->send_output(stream, bytes);
                        });
        }
        clients_->handle(seen.subspan(clients_at), [&](Frame const& frame) { return obey(frame); });
        if (waiting[0].revents != 0) {
            handle_signals();
        }
    }

    void handle_signals() {
        signalfd_siginfo info{};
        while (::read(signals_.get(), &info, sizeof(info)) == sizeof(info)) {
            if (info.ssi_signo != SIGCHLD) {
                stop(config_.stop_signal);
            }
        }
        int status = 0;
        for (pid_t pid = 0; (pid = ::waitpid(-1, &status, WNOHANG)) > 0;) {
            if (pid == init_) {
                wait_status_ = status;
            } else if (server_.has_value() && pid == server_->process.pid) {
                server_lost_ = true;
                signal_init(SIGKILL);  // its files are gone
            } else if (pid == forwarder_.pid) {
                fmt::print(stderr, "oblea: the process that forwards the ports was lost\n");
                ports_.reset();  // whoever connects is refused, and does not wait for ever
            }
        }
    }

    std::optional<Frame> obey(Frame const& frame) {
        switch (frame.kind) {
        case Frame::Kind::pause:
            return Frame{.kind = Frame::Kind::answer, .payload = pause()};
        case Frame::Kind::unpause:
            return Frame{.kind = Frame::Kind::answer, .payload = unpause()};
        case Frame::Kind::begin:
            told_to_begin_ = true;
            break;
        case Frame::Kind::input:
            if (io_.has_value()) {
                io_->give(frame.payload);
            }
            break;
        case Frame::Kind::input_end:
            if (io_.has_value()) {
                io_->end_input();
            }
            break;
        case Frame::Kind::resize:
            if (io_.has_value()) {
                auto const space = frame.payload.find(' ');
                io_->resize(number_in(frame.payload),
                            space == std::string::npos
                                ? 0
                                : number_in(std::string_view{frame.payload}.substr(space + 1)));
            }
            break;
        case Frame::Kind::signal:
            signal_init(number_in(frame.payload));
            break;
        case Frame::Kind::stop:
            stop(number_in(frame.payload));
            break;
        case Frame::Kind::attach:
        case Frame::Kind::output:
        case Frame::Kind::errors:
        case Frame::Kind::exit:
        case Frame::Kind::answer:
            break;
        }
        return std::nullopt;
    }

    void stop(int signal) {
        stopped_ = EndOfRun::Stopped::by_user;
        signal_init(signal);
        static_cast<void>(unpause());  // to take the signal
    }

    // What is against it, or nothing.
    std::string pause() {
        if (!begun_ || init_ <= 0 || wait_status_.has_value()) {
            return "is not running";
        }
        if (frozen_.has_value()) {
            return "is already paused";
        }
        auto frozen = Frozen::freeze(init_);
        if (!frozen.has_value()) {
            return "does not stand still: " + frozen.error().message();
        }
        frozen_.emplace(*std::move(frozen));
        state_.status = ContainerState::Status::paused;
        auto const written = write_state(store_, container_, state_);
        return written.has_value() ? "" : written.error().message();
    }

    std::string unpause() {
        if (!frozen_.has_value()) {
            return "is not paused";
        }
        frozen_.reset();
        state_.status = ContainerState::Status::running;
        auto const written = write_state(store_, container_, state_);
        return written.has_value() ? "" : written.error().message();
    }

    void signal_init(int signal) {
        // A first process that waits to be told takes nothing but the last of signals.
        if (init_ > 0 && !wait_status_.has_value() && signal > 0) {
            ::kill(init_, begun_ ? signal : SIGKILL);
        }
    }

    store::Store const& store_;
    Container const& container_;
    RunConfig config_;
    Begin begin_;
    Runtime runtime_;
    pid_t caller_;
    BuildMounts build_mounts_;
    std::vector<BindMount> volume_binds_;
    std::optional<Cgroup> cgroup_;
    std::uint64_t oom_kills_ = 0;  // before this run
    UniqueFd folder_, lock_, log_, signals_;
    Rights rights_ = Rights::machine_root;
    std::optional<PrivateServer> server_;
    bool server_lost_ = false;
    std::optional<Clients> clients_;
    std::optional<StandardIo> io_;
    std::optional<Guard> guard_;
    std::optional<LogWriter> output_log_;
    std::optional<Frozen> frozen_;
    pid_t init_ = 0;
    std::optional<PublishedPorts> ports_;
    pid_t pasta_ = 0;
    PublishedPorts::Forwarder forwarder_;
    std::optional<int> wait_status_;
    bool begun_ = false;
    bool told_to_begin_ = false;
    EndOfRun::Stopped stopped_ = EndOfRun::Stopped::by_itself;
    Clock::time_point began_{};
    unsigned restarts_in_a_row_ = 0;
    ContainerState state_;
};

struct MonitorStart {
    store::StoreOptions store_options;
    std::string container;
    Begin begin;
    pid_t caller;  // as Monitor has it
};

int monitor(MonitorStart const& asked, Report& report) {
    auto const start = [&]() -> Result<int> {
        store::Store const store =
            OBLEA_TRY(store::Store::open(asked.store_options, store::Store::Create::no));
        Container const container = OBLEA_TRY(need_container(store, asked.container));
        RunConfig config = OBLEA_TRY(run_config_of(container));
        Runtime runtime = OBLEA_TRY(Runtime::find());
        if (config.network == Network::published) {
            OBLEA_TRY(need_pasta());
        }
        return Monitor{store,       container,          std::move(config),
                       asked.begin, std::move(runtime), asked.caller}
            .run(report);
    };
    auto const ended = start();
    if (!ended.has_value()) {
        report.failure(ended.error());
        return 1;
    }
    return *ended;
}

}  // namespace

std::optional<int> decide_restart_ms(RestartPolicy const& policy, EndOfRun const& end) {
    using Kind = RestartPolicy::Kind;
    bool const wanted = policy.kind == Kind::always || policy.kind == Kind::unless_stopped ||
                        (policy.kind == Kind::on_failure && end.exit_code != 0 &&
                         (policy.retries_max == 0 || end.restarts < policy.retries_max));
    if (!wanted || end.stopped == EndOfRun::Stopped::by_user) {
        return std::nullopt;
    }
    int wait_ms = kRestartFirstMs;
    for (unsigned i = 0; i < end.restarts && wait_ms < kRestartMaxMs; ++i) {
        wait_ms *= 2;
    }
    return std::min(wait_ms, kRestartMaxMs);
}

Result<RunConfig> run_config_of(Container const& container) {
    if (container.run.empty()) {
        return fail(Errno::einval, "",
                    fmt::format("container {0} was made by a mount and has no command: use 'oblea "
                                "chroot --name {0}'",
                                container.name));
    }
    return with_context(parse_run_config(container.run),
                        [&] { return "container " + container.name; });
}

Result<StartOutcome> start_monitor(store::Store const& store, Container const& container,
                                   Begin begin, MonitorLife life) {
    bool const own = life == MonitorLife::with_caller;
    MonitorStart const start{.store_options = store.options(),
                             .container = container.id,
                             .begin = begin,
                             .caller = own ? ::getpid() : 0};
    Child const child =
        OBLEA_TRY(start_child(own ? Parentage::own_session : Parentage::detached, {},
                              [&](Report& report) { return monitor(start, report); }));
    StartOutcome outcome = OBLEA_TRY(parse_outcome(child.report));
    outcome.monitor = child.pid;
    return outcome;
}

}  // namespace oblea::tools
