// SPDX-License-Identifier: MIT
#include "tools/build/build.h"

#include "store/base/scope_exit.h"
#include "store/base/sys.h"
#include "tools/build/leftovers.h"
#include "tools/build/stage.h"
#include "tools/mount/background.h"

#include <fmt/format.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <set>
#include <thread>

namespace oblea::tools::build {

using base::UniqueFd;
using store::Digest;
namespace sys = base::sys;

namespace {

constexpr std::size_t kReadBytes = 64U << 10U;
constexpr int kPollMs = 500;

struct RunningStage {
    std::size_t position = 0;  // in the plan
    pid_t pid = -1;
    UniqueFd events;
    UniqueFd output;
    bool told = false;  // done or failed

    [[nodiscard]] bool lives() const { return pid > 0; }
};

class Build {
public:
    Build(BuildRequest const& request, BuildPlan plan, store::Lease lease)
        : request_(request), plan_(std::move(plan)), lease_(std::move(lease)),
          output_(make_output(request.output, output_facts())) {}

    Result<BuildResult> run() {
        base::ScopeExit stop{[&] { stop_all(); }};
        for (std::size_t i = 0; i < request_.file.global_args.size(); ++i) {
            output_->argument(i + 1, request_.file.global_args[i].text);
        }
        while (!is_complete() && result_.exit_code == 0) {
            OBLEA_TRY(start_what_can());
            OBLEA_TRY(wait_for_something());
        }
        stop_all();
        stop.dismiss();
        result_.unused_arguments = unused_arguments();
        if (result_.exit_code == 0) {
            result_.id = finished_.at(plan_.stages.back().stage);
        }
        result_.output = std::move(output_);
        return std::move(result_);
    }

private:
    [[nodiscard]] OutputFacts output_facts() const {
        OutputFacts facts;
        facts.steps = plan_.steps + (request_.options.labels.empty() ? 0U : 1U);
        facts.stream = request_.context.streams().out;
        for (StagePlan const& stage : plan_.stages) {
            std::string const& name = request_.file.stages[stage.stage].from.name;
            facts.stages.push_back({.name = name.empty() ? std::to_string(stage.stage) : name});
        }
        return facts;
    }

    [[nodiscard]] bool is_complete() const { return finished_.size() == plan_.stages.size(); }

    [[nodiscard]] bool can_start(StagePlan const& stage) const {
        return !started_.contains(stage.stage) &&
               std::ranges::all_of(stage.needs,
                                   [&](std::size_t needed) { return finished_.contains(needed); });
    }

    [[nodiscard]] std::size_t jobs() const {
        return request_.jobs != 0 ? request_.jobs
                                  : std::max(1U, std::thread::hardware_concurrency());
    }

    Status start_what_can() {
        for (std::size_t i = 0; i < plan_.stages.size() && running_.size() < jobs(); ++i) {
            if (can_start(plan_.stages[i])) {
                OBLEA_TRY(start(i));
            }
        }
        return {};
    }

    Status start(std::size_t position) {
        std::array<int, 2> sockets{};
        std::array<int, 2> pipe{};
        if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sockets.data()) != 0) {
            return fail(sys::last_errno(), "socketpair");
        }
        UniqueFd events{sockets[0]};
        UniqueFd sender{sockets[1]};
        if (::pipe2(pipe.data(), O_CLOEXEC) != 0) {
            return fail(sys::last_errno(), "pipe2");
        }
        UniqueFd output{pipe[0]};
        UniqueFd writer{pipe[1]};
        std::fflush(nullptr);
        pid_t const builder = ::getpid();
        pid_t const pid = ::fork();
        if (pid < 0) {
            return fail(sys::last_errno(), "fork");
        }
        if (pid == 0) {
            be_stage(position, builder, std::move(sender), std::move(writer));
        }
        ::fcntl(output.get(), F_SETFL, O_NONBLOCK);
        started_.insert(plan_.stages[position].stage);
        running_.push_back({.position = position,
                            .pid = pid,
                            .events = std::move(events),
                            .output = std::move(output),
                            .told = false});
        return {};
    }

    // Out of reach of the terminal's keys, which are for the builder alone; its end is theirs.
    [[noreturn]] void be_stage(std::size_t position, pid_t builder, UniqueFd sender,
                               UniqueFd writer) {
        ::prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (::getppid() != builder) {
            ::_exit(1);
        }
        ::setpgid(0, 0);
        for (int const signal : {SIGINT, SIGTERM, SIGHUP, SIGPIPE}) {
            static_cast<void>(std::signal(signal, SIG_DFL));
        }
        int status = 1;
        auto const null = sys::open("/dev/null", O_RDONLY);
        bool const streams = null.has_value() && ::dup2(null->get(), STDIN_FILENO) >= 0 &&
                             ::dup2(writer.get(), STDOUT_FILENO) >= 0 &&
                             ::dup2(writer.get(), STDERR_FILENO) >= 0;
        writer.reset();
        running_.clear();  // the others' ends
        if (streams) {
            EventSender const events{std::move(sender)};
            StageWork const work{.build = request_,
                                 .plan = plan_,
                                 .stage = plan_.stages[position],
                                 .finished = finished_,
                                 .lease = lease_.path()};
            status = run_stage(work, events);
        }
        std::fflush(nullptr);
        ::_exit(status);
    }

    Status wait_for_something() {
        std::vector<pollfd> waiting;
        for (RunningStage const& stage : running_) {
            waiting.push_back({.fd = stage.events.get(), .events = POLLIN, .revents = 0});
            waiting.push_back({.fd = stage.output.get(), .events = POLLIN, .revents = 0});
        }
        // Not for ever: a signal may come just before.
        int const ready = ::poll(waiting.data(), waiting.size(), kPollMs);
        if (request_.cancel) {
            return fail(Errno::ecanceled, "", "interrupted");
        }
        if (ready < 0) {
            return sys::last_errno() == Errno::eintr ? Status{}
                                                     : Status{fail(sys::last_errno(), "poll")};
        }
        for (std::size_t i = 0; i < running_.size(); ++i) {
            if (waiting[2 * i + 1].revents != 0) {
                drain(running_[i]);
            }
            if (waiting[2 * i].revents != 0) {
                OBLEA_TRY(take_event(running_[i]));
            }
        }
        std::erase_if(running_, [](RunningStage const& stage) { return !stage.lives(); });
        return {};
    }

    // What it has printed so far.
    void drain(RunningStage const& stage) {
        std::array<std::byte, kReadBytes> buffer{};
        for (;;) {
            auto const count = sys::read_some(stage.output.get(), buffer);
            if (!count.has_value() || *count == 0) {
                return;
            }
            output_->output(stage.position, base::text_of(base::ByteView{buffer}.first(*count)));
        }
    }

    Status take_event(RunningStage& stage) {
        auto const event = OBLEA_TRY(receive_event(stage.events.get()));
        drain(stage);
        if (!event.has_value()) {
            return end_of(stage);
        }
        output_->event(stage.position, *event);
        if (event->kind == Event::Kind::done) {
            stage.told = true;
            Digest const id =
                event->text.empty() ? Digest{} : OBLEA_TRY(Digest::parse(event->text));
            finished_.emplace(plan_.stages[stage.position].stage, id);
            consumed_.insert(event->names.begin(), event->names.end());
        } else if (event->kind == Event::Kind::failed) {
            stage.told = true;
            result_.exit_code = event->code;
            result_.problem = event->text;
        }
        return {};
    }

    Status end_of(RunningStage& stage) {
        int const status = OBLEA_TRY(wait_for_child(stage.pid));
        stage.pid = -1;
        output_->ended(stage.position);
        if (!stage.told) {
            return fail(
                Errno::eio, "",
                fmt::format("the process of a stage ended without a word (status {})", status));
        }
        return {};
    }

    void stop_all() {
        bool const any = !running_.empty();
        for (RunningStage const& stage : running_) {
            if (!stage.lives()) {
                continue;  // and its number must not be used: -1 would mean everybody
            }
            if (!stage.told) {
                ::kill(stage.pid, SIGKILL);  // and with it what it has started
            }
            static_cast<void>(wait_for_child(stage.pid));
            drain(stage);
            output_->ended(stage.position);
        }
        running_.clear();
        if (any) {
            settle_steps(request_.store, lease_);
        }
    }

    [[nodiscard]] std::vector<std::string> unused_arguments() const {
        std::vector<std::string> unused;
        auto const& global = plan_.global.consumed();
        for (auto const& [name, value] : request_.options.arguments) {
            if (!consumed_.contains(name) && !global.contains(name) &&
                !Scope::is_known_without_arg(name)) {
                unused.push_back(name);
            }
        }
        return unused;
    }

    BuildRequest const& request_;
    BuildPlan plan_;
    store::Lease lease_;
    std::unique_ptr<BuildOutput> output_;
    std::vector<RunningStage> running_;
    std::set<std::size_t> started_;
    std::map<std::size_t, Digest> finished_;  // by the number of the stage
    std::set<std::string> consumed_;
    BuildResult result_;
};

}  // namespace

Result<BuildResult> build_image(BuildRequest const& request) {
    Scope global{
        request.options.arguments,
        platform_variables(request.options.platform, store::Platform::of_machine().normalised())};
    BuildPlan plan = OBLEA_TRY(plan_build(request.file, request.options.target, std::move(global)));
    store::Lease lease = OBLEA_TRY(request.store.take_lease("build"));
    return Build{request, std::move(plan), std::move(lease)}.run();
}

}  // namespace oblea::tools::build
