// SPDX-License-Identifier: MIT
#include "tools/monitor/remove.h"

#include "tools/container/cgroup.h"
#include "tools/container/container_state.h"
#include "tools/container/container_volumes.h"
#include "tools/monitor/stop.h"
#include "tools/mount/mount_image.h"

#include <fmt/format.h>

#include <algorithm>
#include <csignal>

namespace oblea::tools {
namespace {

constexpr int kGoneWaitMs = 1000;

Status end_run(store::Store const& store, Container const& container, EndFirst end) {
    // What a dead monitor left is put in order by looking.
    ContainerState const state = OBLEA_TRY(observe_state(store, container));
    if (!state.is_active() && end == EndFirst::no) {
        return {};
    }
    if (state.status == ContainerState::Status::paused && end == EndFirst::no) {
        return fail(Errno::ebusy, "",
                    fmt::format("cannot remove container \"{0}\": container is paused and must be "
                                "unpaused first ('oblea unpause {0}')",
                                container.name));
    }
    if (end == EndFirst::no) {
        return fail(Errno::ebusy, "",
                    fmt::format("cannot remove container \"{0}\": container is running: stop it "
                                "first ('oblea stop {0}'), or say --force",
                                container.name));
    }
    return stop_container(store, container, SIGKILL, kGoneWaitMs);
}

Status end_mount(store::Store const& store, Container const& container, EndFirst end) {
    auto const mounts = OBLEA_TRY(list_mounts(store));
    auto const mount = std::ranges::find(mounts, container.id, &MountInfo::container_id);
    if (mount == mounts.end()) {
        return {};
    }
    if (end == EndFirst::no) {
        return fail(Errno::ebusy, "",
                    fmt::format("container {0} is mounted at {1}: unmount it first ('oblea umount "
                                "{1}'), or say --force",
                                container.name, mount->mount_point));
    }
    OBLEA_TRY(unmount_by(store, mount->mount_point, fs::Lazy::yes));
    return {};
}

}  // namespace

Status remove_unused(store::Store const& store, Container const& container, Removal const& how) {
    OBLEA_TRY(end_run(store, container, how.end));
    OBLEA_TRY(end_mount(store, container, how.end));
    // One that was made with --rm, or untouched by its mount, is gone by now.
    if (OBLEA_TRY(find_container(store, container.id)).has_value()) {
        OBLEA_TRY(remove_container(store, container));
    }
    remove_cgroups(container.id);  // that a monitor has left which was lost
    if (how.volumes == UnnamedVolumes::remove && !container.run.empty()) {
        RunConfig const config = OBLEA_TRY(parse_run_config(container.run));
        remove_unnamed_volumes(store, config);
    }
    return {};
}

}  // namespace oblea::tools
