// SPDX-License-Identifier: MIT
#include "store/image/commit_image.h"

#include "store/base/limits.h"
#include "store/image/json_fields.h"
#include "store/image/publish_images.h"

#include <nlohmann/json.hpp>

namespace oblea::store {

using nlohmann::json;

namespace {

std::string member_of(ImageLayer const& layer) {
    return "layer " + layer.diff_id.to_string();
}

json history_entry(CommitFacts const& facts) {
    json entry = {{"created", facts.created}, {"created_by", facts.created_by}};
    if (!facts.author.empty()) {
        entry["author"] = facts.author;
    }
    if (!facts.comment.empty()) {
        entry["comment"] = facts.comment;
    }
    return entry;
}

// Images whose history does not tell of all their layers exist; the new entry would be taken for
// one of theirs.
void complete_history(json& config, std::size_t layers) {
    if (!config.contains("history") || !config["history"].is_array()) {
        config["history"] = json::array();
    }
    std::size_t told = 0;
    for (json const& entry : config["history"]) {
        bool const empty = entry.is_object() && entry.value("empty_layer", false);
        told += empty ? 0U : 1U;
    }
    for (; told < layers; ++told) {
        config["history"].push_back(json{{"created_by", ""}});
    }
}

std::string encode_manifest(PlannedImage const& image, std::vector<ImageLayer> const& layers) {
    json list = json::array();
    for (ImageLayer const& layer : layers) {
        list.push_back(json_fields::descriptor(layer.media_type, layer.blob, layer.blob_bytes));
    }
    json const manifest = {{"schemaVersion", 2},
                           {"mediaType", media_type::kOciManifest},
                           {"config", json_fields::descriptor(media_type::kOciConfig, image.id,
                                                              image.config_bytes.size())},
                           {"layers", std::move(list)}};
    return json_fields::encode(manifest, json_fields::Layout::compact);
}

}  // namespace

Result<PlannedImage> make_committed_image(CommitParent const& parent, json const& run_config,
                                          CommitFacts const& facts,
                                          std::optional<ImageLayer> const& layer,
                                          std::string const& member) {
    constexpr std::string_view kWhat = "config of the container's image";
    json config =
        OBLEA_TRY(json_fields::parse_object(parent.config_bytes, kWhat, limits::kConfigBytesMax));
    std::vector<ImageLayer> layers = parent.image.layers;
    complete_history(config, layers.size());
    json entry = history_entry(facts);
    if (layer.has_value()) {
        layers.push_back(*layer);
        config["rootfs"]["diff_ids"].push_back(layer->diff_id.to_string());
    } else {
        entry["empty_layer"] = true;
    }
    config["history"].push_back(std::move(entry));
    config["created"] = facts.created;
    config["config"] = run_config;
    if (!facts.author.empty()) {
        config["author"] = facts.author;
    }
    // What docker's configs say of a container that is not this one.
    config.erase("container");
    config.erase("container_config");

    PlannedImage image;
    image.config_bytes = json_fields::encode(config, json_fields::Layout::compact);
    image.id = base::sha256(image.config_bytes);
    image.config = OBLEA_TRY(parse_config(image.config_bytes, kWhat));
    image.manifest_bytes = encode_manifest(image, layers);
    if (parent.image.id != Digest{}) {
        image.parent = parent.image.id;
    }
    for (ImageLayer const& one : layers) {
        LayerClaims claims;
        claims.diff_id = one.diff_id;
        claims.blob_bytes = one.blob_bytes;
        bool const is_new =
            layer.has_value() && one.diff_id == layer->diff_id && &one == &layers.back();
        image.layers.push_back({is_new ? member : member_of(one), claims, one.diff_id});
    }
    return image;
}

Result<PlannedImage> plan_with_manifest(Image const& image, std::string_view config_bytes) {
    PlannedImage planned;
    planned.id = image.id;
    planned.config_bytes = config_bytes;
    planned.config = OBLEA_TRY(parse_config(config_bytes, "config of the image"));
    planned.manifest_bytes = encode_manifest(planned, image.layers);
    planned.parent = image.parent;
    for (ImageLayer const& layer : image.layers) {
        LayerClaims claims;
        claims.diff_id = layer.diff_id;
        claims.blob_bytes = layer.blob_bytes;
        planned.layers.push_back({member_of(layer), claims, layer.diff_id});
    }
    return planned;
}

Status publish_committed(Store const& store, LayerImporter const& layers,
                         std::vector<PlannedImage> const& images, LayerOutcomes outcomes,
                         std::string const& origin) {
    for (PlannedImage const& image : images) {
        for (PlannedLayer const& planned : image.layers) {
            if (outcomes.contains(planned.member)) {
                continue;
            }
            auto known = OBLEA_TRY(layers.find_known(planned.member, planned.claims));
            if (!known.has_value()) {
                return fail(Errno::enoent, "", planned.member + " is not in the store any more");
            }
            outcomes.emplace(planned.member, *std::move(known));
        }
    }
    // What is merged is as large as the whole image, and a commit is to cost what was changed.
    OBLEA_TRY(publish_images(store, layers, images, outcomes, origin, MergeTree::at_first_use));
    return {};
}

}  // namespace oblea::store
