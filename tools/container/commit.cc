// SPDX-License-Identifier: MIT
#include "tools/container/commit.h"

#include "store/base/limits.h"
#include "store/base/sys.h"
#include "store/gc.h"
#include "store/image/commit_image.h"
#include "store/image/json_fields.h"
#include "store/image/reference.h"
#include "store/image/rfc3339.h"
#include "tools/build/config_changes.h"
#include "tools/container/container_changes.h"
#include "tools/container/container_state.h"
#include "tools/container/frozen.h"
#include "tools/container/run_config.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace oblea::tools {
namespace {

namespace sys = base::sys;
using nlohmann::json;

constexpr char const* kMember = "the container's changes";

Result<std::optional<std::string>> canonical_name(std::string const& typed) {
    if (typed.empty()) {
        return std::optional<std::string>{};
    }
    auto const reference = OBLEA_TRY(store::Reference::parse(typed));
    if (reference.digest.has_value()) {
        return fail(Errno::einval, "", "refusing to create a tag with a digest reference");
    }
    return std::optional{reference.with_default_tag().canonical()};
}

struct Parent {
    store::Image image;
    std::string config_bytes;
};

Result<Parent> find_parent(store::Store const& store, Container const& container) {
    auto const images = OBLEA_TRY(store.images());
    store::Image const* image = images.find(container.image);
    auto config = OBLEA_TRY(store.read_blob(container.image, limits::kConfigBytesMax));
    if (image == nullptr || !config.has_value()) {
        return fail(Errno::enoent, "",
                    fmt::format("the image of container {} ({}) is not in the store any more; "
                                "import it again, or use 'oblea export'",
                                container.name, container.image.to_string()));
    }
    return Parent{.image = *image, .config_bytes = *std::move(config)};
}

// The tree's part: nothing when nothing was changed.
Result<std::optional<store::LayerOutcome>> import_changes(ContainerView const& view,
                                                          store::LayerImporter const& layers,
                                                          std::optional<std::int64_t> latest) {
    auto steps = OBLEA_TRY(plan_layer(view));
    if (steps.empty()) {
        return std::optional<store::LayerOutcome>{};
    }
    auto root = OBLEA_TRY(sys::duplicate(view.root));
    store::FolderTar tar{std::move(root), std::move(steps), layer_options(view.container, latest)};
    return std::optional{OBLEA_TRY(layers.import(kMember, tar, 0, {}))};
}

// The image's, with what the container was made to run.
Result<json> image_config_of(Parent const& parent, std::optional<RunConfig> const& run,
                             CommitRequest const& request) {
    json const document = OBLEA_TRY(store::json_fields::parse_object(
        parent.config_bytes, "config of the container's image", limits::kConfigBytesMax));
    json config = document.value("config", json::object());
    if (!config.is_object()) {
        config = json::object();
    }
    if (run.has_value()) {
        config["Env"] = run->env;
        config["Cmd"] = run->command;
        config["Entrypoint"] = run->entrypoint;
        config["User"] = run->user;
        config["WorkingDir"] = run->workdir;
        config["Labels"] = run->labels;
        for (VolumeMount const& volume : run->volumes) {
            if (volume.named == VolumeMount::Named::by_nobody) {
                config["Volumes"][volume.target] = json::object();
            }
        }
        // What says nothing is left out, as the image has it.
        for (char const* key : {"Cmd", "Entrypoint", "User", "WorkingDir", "Labels"}) {
            if (config[key].empty() || config[key] == "") {
                config.erase(key);
            }
        }
    }
    OBLEA_TRY(build::apply_config_changes(config, request.changes));
    return config;
}

Result<std::optional<Frozen>> pause(ContainerView const& view, CommitRequest const& request) {
    ContainerState const state = OBLEA_TRY(observe_state(view.store, view.container));
    if (request.pause == CommitRequest::Pause::no ||
        state.status != ContainerState::Status::running) {
        return std::optional<Frozen>{};
    }
    return std::optional{OBLEA_TRY(Frozen::freeze(static_cast<pid_t>(state.init_pid)))};
}

Result<store::Digest> commit_view(ContainerView const& view, CommitRequest const& request) {
    auto const name = OBLEA_TRY(canonical_name(request.name));
    Parent const parent = OBLEA_TRY(find_parent(view.store, view.container));
    std::optional<RunConfig> run;
    if (!view.container.run.empty()) {
        run = OBLEA_TRY(parse_run_config(view.container.run));
    }
    json const config = OBLEA_TRY(image_config_of(parent, run, request));
    auto const latest = OBLEA_TRY(store::source_date_epoch());

    std::function<void(store::ImportProgress const&)> const silent;
    store::ProgressBoard board{silent};
    auto const layers = OBLEA_TRY(store::LayerImporter::create(view.store, board, nullptr));
    auto paused = OBLEA_TRY(pause(view, request));
    auto const changed = OBLEA_TRY(import_changes(view, layers, latest));
    paused.reset();
    std::optional<store::ImageLayer> layer;
    if (changed.has_value()) {
        layer = changed->layer;
    }
    store::CommitFacts const facts{
        .created = store::rfc3339(latest.value_or(store::now_seconds())),
        .created_by =
            run.has_value() ? fmt::format("{}", fmt::join(run->arguments(), " ")) : "oblea commit",
        .author = request.author,
        .comment = request.comment};
    store::CommitParent const from{.image = parent.image, .config_bytes = parent.config_bytes};
    auto image = OBLEA_TRY(store::make_committed_image(from, config, facts, layer, kMember));
    if (name.has_value()) {
        image.names = {*name};
    }
    store::LayerOutcomes outcomes;
    if (changed.has_value()) {
        outcomes.emplace(kMember, *changed);
    }
    std::vector<store::PlannedImage> const images{std::move(image)};
    OBLEA_TRY(store::publish_committed(view.store, layers, images, std::move(outcomes),
                                       "container " + view.container.name));
    return images.front().id;
}

}  // namespace

Result<store::Digest> commit_container(store::Store const& store, Container const& container,
                                       CommitRequest const& request) {
    auto const commit = [&](ContainerView const& view) -> Result<std::string> {
        store::Lease const lease = OBLEA_TRY(view.store.take_lease("commit"));
        auto const id = commit_view(view, request);
        if (!id.has_value()) {
            // What stays behind if this fails too is debris, which gc removes.
            static_cast<void>(store::discard_since(view.store, lease));
            return std::unexpected<Error>(id.error());
        }
        return id->to_string();
    };
    return store::Digest::parse(OBLEA_TRY(look_into(store, container, -1, commit)));
}

}  // namespace oblea::tools
