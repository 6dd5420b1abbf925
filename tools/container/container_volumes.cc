// SPDX-License-Identifier: MIT
#include "tools/container/container_volumes.h"

#include "store/base/sys.h"
#include "tools/mount/container_lock.h"
#include "tools/mount/identifiers.h"

#include <fmt/format.h>

#include <algorithm>

namespace oblea::tools {
namespace {

namespace sys = base::sys;

constexpr std::size_t kUserIdLength = 12;

Error in_use(std::string const& volume, std::vector<Container> const& users) {
    std::vector<std::string> ids;
    std::vector<std::string> names;
    for (Container const& user : users) {
        ids.push_back(user.id.substr(0, kUserIdLength));
        names.push_back(user.name);
    }
    return {Errno::ebusy, "",
            fmt::format("remove {}: volume is in use - [{}]; 'oblea rm {}' frees it", volume,
                        fmt::join(ids, ", "), fmt::join(names, " "))};
}

}  // namespace

Status name_volumes(RunConfig& config) {
    for (VolumeMount& volume : config.volumes) {
        if (volume.name.empty()) {
            volume.name = OBLEA_TRY(random_id());
        }
    }
    return {};
}

std::vector<NewVolume> volumes_wanted(RunConfig const& config) {
    std::vector<NewVolume> wanted;
    for (VolumeMount const& volume : config.volumes) {
        NewVolume one{.name = volume.name};
        if (volume.named == VolumeMount::Named::by_nobody) {
            one.labels[Volume::kAnonymous] = "";
        }
        wanted.push_back(std::move(one));
    }
    return wanted;
}

Result<std::vector<BindMount>> volume_binds(store::Store const& store, RunConfig const& config) {
    std::vector<BindMount> binds;
    for (VolumeMount const& mount : config.volumes) {
        Volume const volume = OBLEA_TRY(need_volume(store, mount.name));
        binds.push_back({.source = store.path() + '/' + volume.data(),
                         .target = mount.target,
                         .access = mount.access});
    }
    return binds;
}

Result<VolumeUses> volume_uses(store::Store const& store) {
    ContainerList const list = OBLEA_TRY(list_containers(store));
    if (!list.damaged.empty()) {
        return fail(Errno::euclean, "",
                    "nobody knows which volumes a damaged container uses: " + list.damaged.front());
    }
    VolumeUses uses;
    for (Container const& container : list.all) {
        if (container.run.empty()) {
            continue;
        }
        RunConfig const config = OBLEA_TRY(with_context(
            parse_run_config(container.run), [&] { return "container " + container.name; }));
        for (VolumeMount const& volume : config.volumes) {
            auto& users = uses[volume.name];
            if (users.empty() || users.back().id != container.id) {
                users.push_back(container);
            }
        }
    }
    return uses;
}

Status create_volume(store::Store const& store, NewVolume const& what) {
    auto const lock = OBLEA_TRY(lock_containers(store));
    return make_volume(store, what);
}

Status remove_unused_volume(store::Store const& store, std::string const& name) {
    auto const lock = OBLEA_TRY(lock_containers(store));
    Volume const volume = OBLEA_TRY(need_volume(store, name));
    VolumeUses const uses = OBLEA_TRY(volume_uses(store));
    if (auto const users = uses.find(name); users != uses.end()) {
        return std::unexpected<Error>(in_use(name, users->second));
    }
    return remove_volume(store, volume);
}

void remove_unnamed_volumes(store::Store const& store, RunConfig const& config) {
    for (VolumeMount const& volume : config.volumes) {
        if (volume.named == VolumeMount::Named::by_nobody) {
            static_cast<void>(remove_unused_volume(store, volume.name));
        }
    }
}

}  // namespace oblea::tools
