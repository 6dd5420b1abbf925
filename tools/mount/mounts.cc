// SPDX-License-Identifier: MIT
// Listing and ending live mounts.
#include "fs/mountinfo.h"
#include "store/base/sys.h"
#include "store/layer/layout.h"
#include "store/lease_files.h"
#include "tools/mount/mount_image.h"
#include "tools/mount/mount_info.h"
#include "tools/mount/mount_notice.h"
#include "tools/mount/stop_signals.h"
#include "tools/mount/successor.h"

#include <fmt/core.h>
#include <poll.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <iterator>
#include <thread>

namespace oblea::tools {
namespace {

namespace layout = store::layout;
namespace sys = base::sys;

constexpr std::size_t kDescriptionBytesMax = 4U << 20U;
constexpr std::chrono::seconds kUpgradeWait{60};
constexpr std::chrono::milliseconds kUpgradePoll{10};
// Tidying up is quick; what takes longer is a namespace elsewhere that still shows the mount.
constexpr int kEndWaitMs = 10'000;

bool is_shown(DescribedMount const& mount, std::vector<fs::MountEntry> const& table) {
    return std::ranges::any_of(table, [&](fs::MountEntry const& entry) {
        return entry.mount_point == mount.info.mount_point && entry.device == mount.device &&
               fs::is_ours(entry);
    });
}

Result<base::UniqueFd> open_process(std::int64_t pid) {
    auto const fd = ::syscall(SYS_pidfd_open, static_cast<pid_t>(pid), 0U);
    if (fd < 0) {
        return fail(sys::last_errno(), "pidfd_open");
    }
    return base::UniqueFd{static_cast<int>(fd)};
}

enum class Ended { in_time, not_yet };

Ended wait_for_end(base::UniqueFd const& process, int timeout_ms) {
    pollfd waiting{.fd = process.get(), .events = POLLIN, .revents = 0};
    return ::poll(&waiting, 1, timeout_ms) > 0 ? Ended::in_time : Ended::not_yet;
}

// The server's descriptor is open before anything is asked of it, so that the number cannot have
// been given to another process meanwhile.
struct LiveMount {
    std::string lease;  // name of the description's file; empty: it has a notice (MountNotice)
    DescribedMount mount;
    base::UniqueFd process;
};

// Mounts whose server lives, in whatever namespace.
Result<std::vector<LiveMount>> served_mounts(store::Store const& store) {
    std::vector<LiveMount> live;
    auto const folder =
        OBLEA_TRY(sys::openat(store.root(), layout::kLeases, O_RDONLY | O_DIRECTORY));
    for (sys::DirEntry const& entry : OBLEA_TRY(sys::list_dir(folder.get()))) {
        if (!entry.name.ends_with(".json")) {
            continue;
        }
        auto const text = sys::read_file(folder.get(), entry.name.c_str(), kDescriptionBytesMax);
        auto mount = text.has_value() ? parse_mount(*text) : std::nullopt;
        if (!mount) {
            continue;
        }
        auto process = open_process(mount->info.pid);
        // One that has ended stays openable until its parent has waited for it.
        if (process.has_value() && wait_for_end(*process, 0) == Ended::not_yet) {
            live.push_back(
                {.lease = entry.name, .mount = *std::move(mount), .process = *std::move(process)});
        }
    }
    std::ranges::sort(live, {}, [](LiveMount const& one) { return one.mount.info.mount_point; });
    return live;
}

// Stacks of folders that this mount namespace shows, of those whose processes we may look into.
Result<std::vector<LiveMount>> served_stacks() {
    std::vector<LiveMount> live;
    auto const table = OBLEA_TRY(fs::read_mountinfo());
    for (pid_t const pid : OBLEA_TRY(processes_with_notice())) {
        auto process = open_process(pid);
        auto const notice = read_notice(pid);
        auto mount = notice.has_value() ? parse_encoded_mount(notice->text) : std::nullopt;
        // Its children have the same notice.
        if (!process.has_value() || !mount.has_value() || mount->info.pid != notice->own_pid ||
            !is_shown(*mount, table) || wait_for_end(*process, 0) == Ended::in_time) {
            continue;
        }
        mount->info.pid = pid;
        live.push_back({.lease = {}, .mount = *std::move(mount), .process = *std::move(process)});
    }
    return live;
}

// As it describes itself now.
std::optional<DescribedMount> described_now(store::Store const& store, LiveMount const& mount) {
    if (mount.lease.empty()) {
        auto const notice = read_notice(static_cast<pid_t>(mount.mount.info.pid));
        return notice.has_value() ? parse_encoded_mount(notice->text) : std::nullopt;
    }
    std::string const path = std::string{layout::kLeases} + '/' + mount.lease;
    auto const text = sys::read_file(store.root(), path.c_str(), kDescriptionBytesMax);
    return text.has_value() ? parse_mount(*text) : std::nullopt;
}

// Only who may look into the server's process sees them.
std::optional<fs::RequestCounts> requests_of(LiveMount const& live) {
    auto const memory = sys::open(
        fmt::format("/proc/{}/fd/{}", live.mount.info.pid, live.mount.counters), O_RDONLY);
    if (!memory.has_value() || wait_for_end(live.process, 0) == Ended::in_time) {
        return std::nullopt;
    }
    auto counts = fs::read_counts(memory->get());
    return counts.has_value() ? std::optional{*std::move(counts)} : std::nullopt;
}

Result<std::vector<LiveMount>> live_mounts(store::Store const& store) {
    auto live = OBLEA_TRY(served_mounts(store));
    auto const table = OBLEA_TRY(fs::read_mountinfo());
    std::erase_if(live, [&](LiveMount const& one) { return !is_shown(one.mount, table); });
    return live;
}

// A dead server's number may have been given to another process; its lease is free. A notice goes
// with its process.
Result<bool> is_held(store::Store const& store, LiveMount const& mount) {
    if (mount.lease.empty()) {
        return true;
    }
    std::string const lease =
        store::lease_files::lease_of(std::string{layout::kLeases} + '/' + mount.lease);
    auto const file = sys::openat(store.root(), lease.c_str(), O_RDWR);
    if (!file.has_value()) {
        return file.error().code == Errno::enoent
                   ? Result<bool>{false}
                   : Result<bool>{std::unexpected<Error>(file.error())};
    }
    return !OBLEA_TRY(sys::try_lock(file->get(), sys::LockKind::exclusive));
}

std::string resolved(std::string const& path) {
    char* full = ::realpath(path.c_str(), nullptr);
    if (full == nullptr) {
        return path;  // a dead mount does not resolve; unmount() knows how
    }
    std::string text = full;
    std::free(full);  // NOLINT: realpath's own allocation
    return text;
}

LiveMount const* find_mount(std::vector<LiveMount> const& live, std::string const& typed) {
    std::string const path = resolved(typed);
    auto const at = std::ranges::find_if(
        live, [&](LiveMount const& one) { return one.mount.info.mount_point == path; });
    if (at != live.end()) {
        return &*at;
    }
    auto const named = std::ranges::find_if(live, [&](LiveMount const& one) {
        MountInfo const& info = one.mount.info;
        return info.container == typed ||
               (typed.size() >= 4 && info.container_id.starts_with(typed));
    });
    return named != live.end() ? &*named : nullptr;
}

}  // namespace

Result<std::optional<MountInfo>> find_server(store::Store const& store,
                                             std::string_view container_id) {
    auto served = OBLEA_TRY(served_mounts(store));
    for (LiveMount& one : served) {
        if (one.mount.info.container_id == container_id && OBLEA_TRY(is_held(store, one))) {
            return std::move(one.mount.info);
        }
    }
    return std::optional<MountInfo>{};
}

Result<std::vector<MountInfo>> list_mounts(store::Store const& store) {
    std::vector<MountInfo> mounts;
    for (LiveMount& one : OBLEA_TRY(live_mounts(store))) {
        one.mount.info.requests = requests_of(one);
        mounts.push_back(std::move(one.mount.info));
    }
    return mounts;
}

namespace {

// The mount's description once its holder has tried.
Result<MountInfo> wait_for_upgrade(store::Store const& store, LiveMount const& mount) {
    auto const end = std::chrono::steady_clock::now() + kUpgradeWait;
    while (std::chrono::steady_clock::now() < end) {
        auto now = described_now(store, mount);
        if (now.has_value() && now->info.upgrades > mount.mount.info.upgrades) {
            return std::move(now->info);
        }
        if (wait_for_end(mount.process, 0) == Ended::in_time) {
            return fail(Errno::einval, "", "it was unmounted meanwhile");
        }
        std::this_thread::sleep_for(kUpgradePoll);
    }
    return fail(Errno::eagain, "",
                fmt::format("its holder (process {}) does not answer", mount.mount.info.pid));
}

// All of the store, and the stacks that came from this program.
bool is_meant_by_all(LiveMount const& mount) {
    if (!mount.lease.empty()) {
        return true;
    }
    auto const theirs = program_of(std::to_string(mount.mount.info.pid));
    auto const ours = program_of("self");
    return theirs.has_value() && ours.has_value() && *theirs == *ours;
}

Upgraded upgrade(store::Store const& store, LiveMount const& mount) {
    MountInfo const& before = mount.mount.info;
    if (before.program.empty()) {
        return {before, fail(Errno::eopnotsupp, "",
                             "what holds it cannot exchange the program; unmount and mount again")};
    }
    if (::syscall(SYS_pidfd_send_signal, mount.process.get(), kUpgradeSignal, nullptr, 0U) != 0) {
        return {before, fail(sys::last_errno(), "kill")};
    }
    auto after = wait_for_upgrade(store, mount);
    if (!after.has_value()) {
        return {before, std::unexpected<Error>(std::move(after).error())};
    }
    Status outcome;
    if (!after->upgrade_error.empty()) {
        outcome = fail(Errno::eio, "", after->upgrade_error);
    }
    return {*std::move(after), std::move(outcome)};
}

}  // namespace

Result<std::vector<Upgraded>> upgrade_servers(store::Store const& store, std::string const& typed) {
    auto served = OBLEA_TRY(served_mounts(store));
    auto stacks = OBLEA_TRY(served_stacks());
    std::ranges::move(stacks, std::back_inserter(served));
    LiveMount const* const only = typed.empty() ? nullptr : find_mount(served, typed);
    if (!typed.empty() && only == nullptr) {
        return fail(Errno::einval, "",
                    typed + ": nothing of this store is mounted there, and no stack of folders");
    }
    std::vector<Upgraded> all;
    for (LiveMount const& one : served) {
        // A number that another process has got meanwhile must not be sent a signal.
        bool const is_meant = only == nullptr ? is_meant_by_all(one) : &one == only;
        if (is_meant && OBLEA_TRY(is_held(store, one))) {
            all.push_back(upgrade(store, one));
        }
    }
    return all;
}

Result<Unmounted> unmount_by(store::Store const& store, std::string const& typed, fs::Lazy lazy) {
    auto const live = OBLEA_TRY(live_mounts(store));
    LiveMount const* mount = find_mount(live, typed);
    Unmounted done{.mount_point = mount != nullptr ? mount->mount.info.mount_point : typed,
                   .kept = {},
                   .dropped = {},
                   .notes = {}};
    OBLEA_TRY(fs::unmount(done.mount_point, lazy));
    if (mount == nullptr) {
        return done;  // of another store, or its server is dead
    }
    MountInfo const& info = mount->mount.info;
    if (wait_for_end(mount->process, kEndWaitMs) == Ended::not_yet) {
        done.notes.push_back(fmt::format("the server (pid {}) goes on until nobody uses the mount "
                                         "any more, in whatever namespace",
                                         info.pid));
    }
    if (!info.container.empty()) {
        bool const exists = OBLEA_TRY(find_container(store, info.container_id)).has_value();
        (exists ? done.kept : done.dropped) = info.container;
    }
    return done;
}

}  // namespace oblea::tools
