// SPDX-License-Identifier: MIT
#include "tools/monitor/stop.h"

#include "store/base/sys.h"
#include "tools/container/container_state.h"

#include <fmt/format.h>
#include <poll.h>
#include <sys/syscall.h>
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

// Tidying up is quick; a monitor that takes longer is lost.
constexpr int kMonitorEndMs = 15'000;

struct Ended {
    std::optional<int> exit_code;
    std::optional<std::string> answer;
};

// Reads until the other side closes or answers, or the time is over (-1: never): then nullopt.
Result<std::optional<Ended>> wait_for_end(UniqueFd const& monitor, int timeout_ms) {
    auto const until = Clock::now() + std::chrono::milliseconds{timeout_ms};
    std::string received;
    Ended ended;
    for (;;) {
        auto const left =
            std::chrono::duration_cast<std::chrono::milliseconds>(until - Clock::now()).count();
        pollfd waiting{.fd = monitor.get(), .events = POLLIN, .revents = 0};
        int const wait_ms = timeout_ms < 0 ? -1 : static_cast<int>(std::max<long>(0, left));
        int const count = ::poll(&waiting, 1, wait_ms);
        if (count == 0) {
            return std::optional<Ended>{};
        }
        std::array<std::byte, 4096> buffer{};
        auto const read = sys::read_some(monitor.get(), buffer);
        if (!read.has_value() || *read == 0) {
            return std::optional{ended};
        }
        received += base::text_of(base::ByteView{buffer}.first(*read));
        while (auto const frame = OBLEA_TRY(take_frame(received))) {
            if (frame->kind == Frame::Kind::exit) {
                int code = 0;
                std::from_chars(frame->payload.data(),
                                frame->payload.data() + frame->payload.size(), code);
                ended.exit_code = code;
            } else if (frame->kind == Frame::Kind::answer) {
                ended.answer = frame->payload;
                return std::optional{ended};
            }
        }
    }
}

Status send(UniqueFd const& monitor, Frame::Kind kind, int signal) {
    std::string const frame = encode_frame(kind, std::to_string(signal));
    auto sent = sys::write_all(monitor.get(), base::bytes_of(frame));
    return !sent.has_value() && sent.error().code == Errno::epipe ? Status{} : sent;
}

// For one that answers no more.
void kill_monitor(ContainerState const& state) {
    UniqueFd const process{
        static_cast<int>(::syscall(SYS_pidfd_open, static_cast<pid_t>(state.monitor_pid), 0U))};
    if (state.monitor_pid > 0 && process.valid()) {
        ::syscall(SYS_pidfd_send_signal, process.get(), SIGKILL, nullptr, 0U);
        pollfd waiting{.fd = process.get(), .events = POLLIN, .revents = 0};
        ::poll(&waiting, 1, kMonitorEndMs);
    }
}

}  // namespace

Status signal_container(store::Store const& store, Container const& container, int signal,
                        Frame::Kind kind) {
    ContainerState const state = OBLEA_TRY(observe_state(store, container));
    auto const monitor = OBLEA_TRY(connect_monitor(store, container));
    if (!state.is_active() || !monitor.has_value()) {
        return fail(Errno{ESRCH}, "", fmt::format("container {} is not running", container.name));
    }
    return send(*monitor, kind, signal);
}

Status pause_container(store::Store const& store, Container const& container, Pause pause) {
    OBLEA_TRY(observe_state(store, container));
    auto const monitor = OBLEA_TRY(connect_monitor(store, container));
    if (!monitor.has_value()) {
        return fail(Errno{ESRCH}, "", fmt::format("Container {} is not running", container.name));
    }
    OBLEA_TRY(send(*monitor, pause == Pause::begin ? Frame::Kind::pause : Frame::Kind::unpause, 0));
    auto const ended = OBLEA_TRY(wait_for_end(*monitor, -1));
    std::string const answer =
        ended.has_value() ? ended->answer.value_or("is not running") : std::string{};
    return answer.empty() ? Status{}
                          : Status{fail(Errno::ebusy, "",
                                        fmt::format("Container {} {}", container.name, answer))};
}

Status stop_container(store::Store const& store, Container const& container, int signal,
                      int patience_ms) {
    ContainerState const state = OBLEA_TRY(observe_state(store, container));
    auto const monitor = OBLEA_TRY(connect_monitor(store, container));
    if (!monitor.has_value()) {
        return {};
    }
    OBLEA_TRY(send(*monitor, Frame::Kind::stop, signal));
    if (OBLEA_TRY(wait_for_end(*monitor, patience_ms)).has_value()) {
        return {};
    }
    OBLEA_TRY(send(*monitor, Frame::Kind::stop, SIGKILL));
    if (OBLEA_TRY(wait_for_end(*monitor, kMonitorEndMs)).has_value()) {
        return {};
    }
    kill_monitor(state);
    OBLEA_TRY(observe_state(store, container));
    return {};
}

Status release_container(store::Store const& store, Container const& container) {
    auto const monitor = OBLEA_TRY(connect_monitor(store, container));
    return monitor.has_value() ? send(*monitor, Frame::Kind::stop, SIGKILL) : Status{};
}

Result<int> wait_container(store::Store const& store, Container const& container) {
    auto const monitor = OBLEA_TRY(connect_monitor(store, container));
    if (monitor.has_value()) {
        auto const ended = OBLEA_TRY(wait_for_end(*monitor, -1));
        if (ended.has_value() && ended->exit_code.has_value()) {
            return *ended->exit_code;
        }
    }
    return OBLEA_TRY(observe_state(store, container)).exit_code;
}

}  // namespace oblea::tools
