// SPDX-License-Identifier: MIT
#include "tools/build/step_image.h"

#include "store/base/limits.h"
#include "store/base/scope_exit.h"
#include "store/gc.h"
#include "store/image/json_fields.h"

#include <algorithm>

namespace oblea::tools::build {

using nlohmann::json;

namespace {

constexpr char const* kOrigin = "build";  // in images.json, for people, and to know them again
constexpr char const* kWhat = "config of the image";

Result<json> parse_document(std::string const& config_bytes) {
    return store::json_fields::parse_object(config_bytes, kWhat, limits::kConfigBytesMax);
}

json history_of(json const& document) {
    json history = document.value("history", json::array());
    return history.is_array() ? history : json::array();
}

std::string created_by(json const& entry) {
    return entry.is_object() ? entry.value("created_by", std::string{}) : std::string{};
}

json config_of(json const& document) {
    json config = document.value("config", json::object());
    return config.is_object() ? config : json::object();
}

bool is_empty_layer(json const& entry) {
    return entry.is_object() && entry.value("empty_layer", false);
}

std::string author_of(json const& document) {
    return document.value("author", std::string{});
}

// Whether the image's last step was this one. `author` is who is named as its author.
bool is_step(json const& document, StepFacts const& facts, std::string const& author) {
    json const history = history_of(document);
    return !history.empty() && created_by(history.back()) == facts.created_by &&
           config_of(document) == facts.config && author_of(document) == author;
}

Result<std::vector<store::Image>> candidates(store::Store const& store, BuildImage const& parent) {
    std::optional<store::Digest> wanted;
    if (!parent.is_nothing()) {
        wanted = parent.image.id;
    }
    auto const images = OBLEA_TRY(store.images());
    std::vector<store::Image> found;
    std::ranges::copy_if(images.all(), std::back_inserter(found), [&](store::Image const& image) {
        return image.parent == wanted && image.origin == kOrigin &&
               image.architecture == parent.image.architecture && image.os == parent.image.os;
    });
    // The newest first.
    std::ranges::stable_sort(found, std::ranges::greater{}, &store::Image::imported);
    return found;
}

store::Image image_of(store::PlannedImage const& planned, BuildImage const& parent,
                      std::optional<store::ImageLayer> const& layer) {
    store::Image image = parent.image;
    image.id = planned.id;
    image.names.clear();
    image.manifest.reset();
    image.parent = planned.parent;
    image.created = planned.config.created;
    if (layer.has_value()) {
        image.layers.push_back(*layer);
    }
    return image;
}

// In what is published at once there may be several.
std::string member_of(std::optional<store::ImageLayer> const& layer) {
    return layer.has_value() ? "changes " + layer->diff_id.to_string() : std::string{};
}

Result<store::LayerImporter> make_importer(store::Store const& store, store::ProgressBoard& board) {
    return store::LayerImporter::create(store, board, nullptr);
}

}  // namespace

BuildImage nothing_yet(store::Platform const& platform) {
    BuildImage nothing;
    nothing.image.os = platform.os;
    nothing.image.architecture = platform.architecture;
    nothing.image.variant = platform.variant;
    json document = {{"architecture", platform.architecture},
                     {"os", platform.os},
                     {"config", json::object()},
                     {"rootfs", {{"type", "layers"}, {"diff_ids", json::array()}}},
                     {"history", json::array()}};
    if (!platform.variant.empty()) {
        document["variant"] = platform.variant;
    }
    nothing.config_bytes =
        store::json_fields::encode(document, store::json_fields::Layout::compact);
    return nothing;
}

Result<BuildImage> load_image(store::Store const& store, store::Digest const& id) {
    auto const images = OBLEA_TRY(store.images());
    store::Image const* image = images.find(id);
    if (image == nullptr) {
        return fail(Errno::enoent, "", "No such image: " + id.to_string());
    }
    auto config = OBLEA_TRY(store.read_blob(id, limits::kConfigBytesMax));
    if (!config.has_value()) {
        return fail(Errno::eio, "", "the config of " + id.to_string() + " is not in the store");
    }
    return BuildImage{.image = *image, .config_bytes = *std::move(config)};
}

Result<json> run_config_of(BuildImage const& image) {
    return config_of(OBLEA_TRY(parse_document(image.config_bytes)));
}

Result<NextImage> next_image(BuildImage const& parent, StepFacts const& facts,
                             std::optional<store::ImageLayer> const& layer) {
    store::CommitParent const from{.image = parent.image, .config_bytes = parent.config_bytes};
    store::CommitFacts const said{.created = facts.created,
                                  .created_by = facts.created_by,
                                  .author = facts.author,
                                  .comment = {}};
    auto planned =
        OBLEA_TRY(store::make_committed_image(from, facts.config, said, layer, member_of(layer)));
    planned.manifest_bytes.reset();
    BuildImage image{.image = image_of(planned, parent, layer),
                     .config_bytes = planned.config_bytes};
    return NextImage{.planned = std::move(planned), .image = std::move(image)};
}

Result<std::optional<BuildImage>> find_cached(store::Store const& store, BuildImage const& parent,
                                              StepFacts const& facts) {
    std::string const author = facts.author.empty()
                                   ? author_of(OBLEA_TRY(parse_document(parent.config_bytes)))
                                   : facts.author;
    auto const images = OBLEA_TRY(candidates(store, parent));
    for (store::Image const& image : images) {
        auto config = OBLEA_TRY(store.read_blob(image.id, limits::kConfigBytesMax));
        if (!config.has_value()) {
            continue;  // damaged: verify tells of it
        }
        if (is_step(OBLEA_TRY(parse_document(*config)), facts, author)) {
            return std::optional{BuildImage{.image = image, .config_bytes = *std::move(config)}};
        }
    }
    return std::optional<BuildImage>{};
}

Result<std::optional<NextImage>> find_in_history(BuildImage const& other, BuildImage const& parent,
                                                 StepFacts const& facts) {
    std::optional<NextImage> none;
    json const theirs = history_of(OBLEA_TRY(parse_document(other.config_bytes)));
    json const ours = history_of(OBLEA_TRY(parse_document(parent.config_bytes)));
    bool const begins =
        theirs.size() > ours.size() &&
        std::ranges::equal(ours.begin(), ours.end(), theirs.begin(),
                           theirs.begin() + static_cast<std::ptrdiff_t>(ours.size()),
                           [](json const& one, json const& another) {
                               return created_by(one) == created_by(another) &&
                                      is_empty_layer(one) == is_empty_layer(another);
                           });
    auto const& own = parent.image.layers;
    auto const& all = other.image.layers;
    if (!begins || own.size() > all.size() ||
        !std::equal(own.begin(), own.end(), all.begin(),
                    [](store::ImageLayer const& one, store::ImageLayer const& another) {
                        return one.diff_id == another.diff_id;
                    })) {
        return none;
    }
    json const& next = theirs[ours.size()];
    if (created_by(next) != facts.created_by) {
        return none;
    }
    std::optional<store::ImageLayer> layer;
    if (!is_empty_layer(next)) {
        if (own.size() == all.size()) {
            return none;
        }
        layer = all[own.size()];
    }
    StepFacts same = facts;
    same.created = next.value("created", facts.created);
    return std::optional{OBLEA_TRY(next_image(parent, same, layer))};
}

Result<store::Digest> publish_step(store::Store const& store, PublishStep const& step,
                                   base::ByteSource* tar) {
    std::function<void(store::ImportProgress const&)> const silent;
    store::ProgressBoard board{silent};
    auto const layers = OBLEA_TRY(make_importer(store, board));
    std::vector<store::PlannedImage> images = step.pending;
    store::LayerOutcomes outcomes;
    std::optional<store::ImageLayer> layer;
    if (tar != nullptr) {
        auto outcome = OBLEA_TRY(layers.import(kStepMember, *tar, 0, {}));
        layer = outcome.layer;
        outcomes.emplace(member_of(layer), std::move(outcome));
    }
    auto next = OBLEA_TRY(next_image(step.parent, step.facts, layer));
    store::Digest const id = next.planned.id;
    images.push_back(std::move(next.planned));
    OBLEA_TRY(store::publish_committed(store, layers, images, std::move(outcomes), kOrigin));
    return id;
}

Status publish_pending(store::Store const& store, std::vector<store::PlannedImage> const& pending) {
    std::function<void(store::ImportProgress const&)> const silent;
    store::ProgressBoard board{silent};
    auto const layers = OBLEA_TRY(make_importer(store, board));
    return store::publish_committed(store, layers, pending, {}, kOrigin);
}

Status publish_names(store::Store const& store, store::Digest const& id,
                     std::vector<std::string> const& canonical_names) {
    BuildImage const built = OBLEA_TRY(load_image(store, id));
    if (!built.image.manifest.has_value() && built.image.origin == kOrigin) {
        auto planned = OBLEA_TRY(store::plan_with_manifest(built.image, built.config_bytes));
        planned.names = canonical_names;
        return publish_pending(store, {planned});
    }
    return store.change_images([&](store::Images& images) -> Status {
        for (std::string const& name : canonical_names) {
            OBLEA_TRY(images.tag(id, name));
        }
        return {};
    });
}

}  // namespace oblea::tools::build
