// SPDX-License-Identifier: MIT
// Whether a container runs, and how it ended: state.json in its folder, written by its monitor.
//
// A monitor holds a lock as long as it lives, however it ends; a state that says "running" without
// it is a lie, which observe_state() puts right.
#pragma once
#include "store/base/unique_fd.h"
#include "store/store.h"
#include "tools/mount/containers.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace oblea::tools {

struct ContainerState {
    enum class Status { created, running, paused, restarting, exited } status = Status::created;
    std::int64_t monitor_pid = 0;
    std::int64_t init_pid = 0;       // of the container's first process
    std::uint64_t init_started = 0;  // as /proc/PID/stat has it: tells it from a later namesake
    std::string started;             // RFC 3339; empty: never
    std::string finished;            // empty: not yet
    int exit_code = 0;
    unsigned restarts = 0;
    bool oom_killed = false;  // a process of it, by the kernel, for want of memory
    std::string error;        // why it could not be started, or was lost

    [[nodiscard]] bool has_processes() const {
        return status == Status::running || status == Status::paused;
    }
    [[nodiscard]] bool is_active() const { return has_processes() || status == Status::restarting; }
};

// "created", "running", "paused", "restarting" or "exited": docker's words, and those of
// state.json.
[[nodiscard]] char const* status_name(ContainerState::Status status);

// What docker gives for a container whose end nobody saw.
inline constexpr int kExitUnknown = 255;

std::string encode_state(ContainerState const& state);
Result<ContainerState> parse_state(std::string_view json);  // Errors: EUCLEAN

Status write_state(store::Store const& store, Container const& container,
                   ContainerState const& state);

// As it is now. What a dead monitor left is ended, and noted as exited with kExitUnknown. Errors:
// EUCLEAN for a damaged file.
Result<ContainerState> observe_state(store::Store const& store, Container const& container);

// The monitor's lock; nullopt when another process has it.
Result<std::optional<base::UniqueFd>> try_monitor_lock(store::Store const& store,
                                                       Container const& container);

// When a process was started, in the kernel's ticks; nullopt when there is none of this number.
std::optional<std::uint64_t> process_start(std::int64_t pid);

// "Up 4 hours", "Exited (130) 5 seconds ago", "Created", "Restarting (1) 2 seconds ago", as docker
// writes it. `now` in seconds since 1970.
std::string status_text(ContainerState const& state, std::int64_t now);

}  // namespace oblea::tools
