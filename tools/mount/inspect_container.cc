// SPDX-License-Identifier: MIT
#include "tools/mount/inspect_container.h"

#include "tools/mount/mount_image.h"

#include <algorithm>

namespace oblea::tools {

using nlohmann::ordered_json;

Result<ordered_json> describe_container(store::Store const& store, Container const& container) {
    auto const mounts = OBLEA_TRY(list_mounts(store));
    auto const mount = std::ranges::find(mounts, container.id, &MountInfo::container_id);
    bool const mounted = mount != mounts.end();
    ordered_json layers = ordered_json::array();
    for (auto const& layer : container.layers) {
        layers.push_back(layer.to_string());
    }
    ordered_json result = {{"Id", container.id},
                           {"Created", container.created},
                           {"State",
                            {{"Status", mounted ? "running" : "created"},
                             {"Running", mounted},
                             {"Paused", false},
                             {"Pid", mounted ? mount->pid : 0},
                             {"StartedAt", mounted ? mount->started : "0001-01-01T00:00:00Z"}}},
                           {"Image", container.image.to_string()},
                           {"Name", '/' + container.name},
                           {"Driver", "oblea"},
                           {"GraphDriver",
                            {{"Name", "oblea"},
                             {"Data",
                              {{"Layers", std::move(layers)},
                               {"UpperDir", store.path() + '/' + container.folder() + "/upper"},
                               {"WorkDir", store.path() + '/' + container.folder() + "/work"},
                               {"MergedDir", mounted ? mount->mount_point : ""}}}}},
                           {"Config", {{"Image", container.image_name}}}};
    return result;
}

}  // namespace oblea::tools
