// SPDX-License-Identifier: MIT
#include "tools/container/container_state.h"

#include "tools/container/cgroup.h"

#include "store/base/parse_number.h"
#include "store/base/process_stat.h"
#include "store/base/sys.h"
#include "store/image/json_fields.h"
#include "tools/mount/rfc3339.h"
#include "tools/output/human.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <poll.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <csignal>

namespace oblea::tools {
namespace {

namespace fields = store::json_fields;
namespace sys = base::sys;
using nlohmann::json;

constexpr std::size_t kStateBytesMax = 1U << 20U;
constexpr char const* kStateFile = "state.json";
constexpr int kEndWaitMs = 10'000;

using StatusName = std::pair<ContainerState::Status, char const*>;
constexpr std::array kStatuses{StatusName{ContainerState::Status::created, "created"},
                               StatusName{ContainerState::Status::running, "running"},
                               StatusName{ContainerState::Status::paused, "paused"},
                               StatusName{ContainerState::Status::restarting, "restarting"},
                               StatusName{ContainerState::Status::exited, "exited"}};

std::string path_of(Container const& container) {
    return container.folder() + "/state.json";
}

Result<ContainerState> state_of(json const& document) {
    ContainerState state;
    std::string const status = OBLEA_TRY(fields::text(document, "status", kStateFile));
    auto const named = std::ranges::find_if(
        kStatuses, [&](StatusName const& one) { return one.second == status; });
    if (named == kStatuses.end()) {
        return fields::invalid(kStateFile, "unknown status " + status);
    }
    state.status = named->first;
    state.monitor_pid =
        static_cast<std::int64_t>(OBLEA_TRY(fields::number(document, "monitor_pid", kStateFile)));
    state.init_pid =
        static_cast<std::int64_t>(OBLEA_TRY(fields::number(document, "init_pid", kStateFile)));
    state.init_started = OBLEA_TRY(fields::number(document, "init_started", kStateFile));
    state.started = OBLEA_TRY(fields::text(document, "started", kStateFile));
    state.finished = OBLEA_TRY(fields::text(document, "finished", kStateFile));
    state.exit_code =
        static_cast<int>(OBLEA_TRY(fields::number(document, "exit_code", kStateFile)));
    state.restarts =
        static_cast<unsigned>(OBLEA_TRY(fields::number(document, "restarts", kStateFile)));
    // Older ones have no word of it.
    state.oom_killed = document.contains("oom_killed") &&
                       OBLEA_TRY(fields::flag(document, "oom_killed", kStateFile));
    state.error = OBLEA_TRY(fields::text(document, "error", kStateFile));
    return state;
}

Result<ContainerState> read_state(store::Store const& store, Container const& container) {
    auto const text = sys::read_file(store.root(), path_of(container).c_str(), kStateBytesMax);
    if (!text.has_value() && text.error().code == Errno::enoent) {
        return ContainerState{};
    }
    return with_context(parse_state(OBLEA_TRY(text)), [&] { return path_of(container); });
}

// Ends what is left of a container whose monitor is gone: with its first process go all of its
// processes.
void end_init(ContainerState const& state) {
    if (state.init_pid <= 0 || process_start(state.init_pid) != state.init_started) {
        return;
    }
    base::UniqueFd const process{
        static_cast<int>(::syscall(SYS_pidfd_open, static_cast<pid_t>(state.init_pid), 0U))};
    if (!process.valid() || process_start(state.init_pid) != state.init_started) {
        return;
    }
    ::syscall(SYS_pidfd_send_signal, process.get(), SIGKILL, nullptr, 0U);
    pollfd waiting{.fd = process.get(), .events = POLLIN, .revents = 0};
    ::poll(&waiting, 1, kEndWaitMs);
}

std::string since(std::string const& time, std::int64_t now) {
    auto const seconds = parse_rfc3339(time);
    return seconds.has_value() ? human_duration(std::max<std::int64_t>(0, now - *seconds)) : "";
}

}  // namespace

char const* status_name(ContainerState::Status status) {
    return std::ranges::find(kStatuses, status, &StatusName::first)->second;
}

std::string encode_state(ContainerState const& state) {
    json const document = {{"status", status_name(state.status)},
                           {"monitor_pid", state.monitor_pid},
                           {"init_pid", state.init_pid},
                           {"init_started", state.init_started},
                           {"started", state.started},
                           {"finished", state.finished},
                           {"exit_code", state.exit_code},
                           {"restarts", state.restarts},
                           {"oom_killed", state.oom_killed},
                           {"error", state.error}};
    return fields::encode(document, fields::Layout::indented) + '\n';
}

Result<ContainerState> parse_state(std::string_view text) {
    auto const document = fields::parse_object(text, kStateFile, kStateBytesMax);
    auto state = document.has_value() ? state_of(*document)
                                      : Result<ContainerState>{std::unexpected(document.error())};
    if (!state.has_value()) {
        return fail(Errno::euclean, "", std::move(state).error().detail);
    }
    return state;
}

Status write_state(store::Store const& store, Container const& container,
                   ContainerState const& state) {
    return sys::replace_file(store.root(), path_of(container).c_str(), encode_state(state), 0600,
                             sys::Sync::no);
}

Result<std::optional<base::UniqueFd>> try_monitor_lock(store::Store const& store,
                                                       Container const& container) {
    std::string const path = container.folder() + "/monitor.lock";
    auto file = OBLEA_TRY(sys::openat(store.root(), path.c_str(), O_RDWR | O_CREAT));
    if (!OBLEA_TRY(sys::try_lock(file.get(), sys::LockKind::exclusive))) {
        return std::optional<base::UniqueFd>{};
    }
    return std::optional{std::move(file)};
}

Result<ContainerState> observe_state(store::Store const& store, Container const& container) {
    ContainerState const seen = OBLEA_TRY(read_state(store, container));
    if (!seen.is_active()) {
        return seen;
    }
    auto const lock = OBLEA_TRY(try_monitor_lock(store, container));
    if (!lock.has_value()) {
        return seen;
    }
    // Nobody else writes it while we have the lock; the monitor may have ended in order meanwhile.
    ContainerState state = OBLEA_TRY(read_state(store, container));
    if (!state.is_active()) {
        return state;
    }
    end_init(state);
    remove_cgroups(container.id);
    state.status = ContainerState::Status::exited;
    state.exit_code = kExitUnknown;
    state.finished = rfc3339_now();
    state.error = "its monitor (pid " + std::to_string(state.monitor_pid) + ") was lost";
    state.init_pid = 0;
    state.monitor_pid = 0;
    OBLEA_TRY(write_state(store, container, state));
    return state;
}

std::optional<std::uint64_t> process_start(std::int64_t pid) {
    auto const ticks = base::process_stat(std::to_string(pid), base::kStatStart);
    return ticks.has_value() ? base::parse_number<std::uint64_t>(*ticks) : std::nullopt;
}

std::string status_text(ContainerState const& state, std::int64_t now) {
    switch (state.status) {
    case ContainerState::Status::running:
        return "Up " + since(state.started, now);
    case ContainerState::Status::paused:
        return fmt::format("Up {} (Paused)", since(state.started, now));
    case ContainerState::Status::restarting:
        return fmt::format("Restarting ({}) {} ago", state.exit_code, since(state.finished, now));
    case ContainerState::Status::exited:
        return fmt::format("Exited ({}) {} ago", state.exit_code, since(state.finished, now));
    case ContainerState::Status::created:
        break;
    }
    return "Created";
}

}  // namespace oblea::tools
