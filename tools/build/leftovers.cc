// SPDX-License-Identifier: MIT
#include "tools/build/leftovers.h"

#include "store/base/sys.h"
#include "tools/container/container_state.h"
#include "tools/container/run_config.h"
#include "tools/monitor/unstarted.h"
#include "tools/mount/containers.h"

#include <chrono>
#include <functional>
#include <thread>

namespace oblea::tools::build {
namespace {

namespace sys = base::sys;

constexpr int kTries = 100;
constexpr std::chrono::milliseconds kPause{100};

// Of the build that the container runs a step of; empty: it is somebody's own.
std::string lease_of(Container const& container) {
    if (container.run.empty()) {
        return {};
    }
    auto const config = parse_run_config(container.run);
    return config.has_value() && config->build.has_value() ? config->build->lease : std::string{};
}

Result<bool> is_abandoned(store::Store const& store, std::string const& lease) {
    auto const file = sys::openat(store.root(), lease.c_str(), O_RDWR | O_NOFOLLOW);
    if (!file.has_value()) {
        return file.error().code == Errno::enoent
                   ? Result<bool>{true}
                   : Result<bool>{std::unexpected<Error>(file.error())};
    }
    return sys::try_lock(file->get(), sys::LockKind::exclusive);
}

struct Removal {
    std::size_t removed = 0;
    std::size_t left = 0;    // still mounted
    bool any_ended = false;  // what was left running was ended: soon they are mounted no more
};

enum class Outcome { removed, left };

// A monitor that lives tidies up by itself.
Result<Outcome> remove_leftover(store::Store const& store, Container const& container,
                                Removal& removal) {
    auto const monitor = OBLEA_TRY(try_monitor_lock(store, container));
    if (!monitor.has_value()) {
        return Outcome::left;
    }
    removal.any_ended = end_unstarted(container.id) || removal.any_ended;
    auto const removed = remove_container(store, container);
    if (!removed.has_value() && removed.error().code == Errno::ebusy) {
        return Outcome::left;
    }
    OBLEA_TRY(removed);
    return Outcome::removed;
}

Result<Removal> remove_where(store::Store const& store,
                             std::function<Result<bool>(std::string const&)> const& wanted) {
    Removal removal;
    auto const containers = OBLEA_TRY(list_containers(store));
    for (Container const& container : containers.all) {
        std::string const lease = lease_of(container);
        if (lease.empty() || !OBLEA_TRY(wanted(lease))) {
            continue;
        }
        auto const outcome = remove_leftover(store, container, removal);
        if (!outcome.has_value() && outcome.error().code != Errno::enoent) {  // else somebody has
            return std::unexpected<Error>(outcome.error());
        }
        ++(outcome == Outcome::left ? removal.left : removal.removed);
    }
    return removal;
}

}  // namespace

Result<std::size_t> remove_leftovers(store::Store const& store) {
    std::size_t removed = 0;
    bool any_ended = false;
    for (int i = 0; i < kTries; ++i) {
        auto const removal = OBLEA_TRY(remove_where(
            store, [&](std::string const& lease) { return is_abandoned(store, lease); }));
        removed += removal.removed;
        any_ended = any_ended || removal.any_ended;
        // Others that are mounted are looked into, or tidied up, by somebody who lives.
        if (removal.left == 0 || !any_ended) {
            break;
        }
        std::this_thread::sleep_for(kPause);
    }
    return removed;
}

void settle_steps(store::Store const& store, store::Lease const& lease) {
    for (int i = 0; i < kTries; ++i) {
        auto const removal = remove_where(
            store, [&](std::string const& other) -> Result<bool> { return other == lease.path(); });
        if (!removal.has_value() || removal->left == 0) {
            return;  // what could not be removed is left to gc
        }
        std::this_thread::sleep_for(kPause);
    }
}

}  // namespace oblea::tools::build
