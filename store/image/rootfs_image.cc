// SPDX-License-Identifier: MIT
#include "store/image/rootfs_image.h"

#include "store/base/limits.h"
#include "store/image/json_fields.h"

#include <nlohmann/json.hpp>

namespace oblea::store {

using nlohmann::json;

namespace {

Result<std::string> encode_config(RootfsFacts const& facts, ImageLayer const& layer) {
    json run =
        OBLEA_TRY(json_fields::parse_object(facts.config, "config", limits::kConfigBytesMax));
    json history = {{"created", facts.created}, {"created_by", facts.created_by}};
    if (!facts.comment.empty()) {
        history["comment"] = facts.comment;
    }
    json config = {
        {"created", facts.created},
        {"architecture", facts.platform.architecture},
        {"os", facts.platform.os},
        {"config", std::move(run)},
        {"rootfs", {{"type", "layers"}, {"diff_ids", json::array({layer.diff_id.to_string()})}}},
        {"history", json::array({std::move(history)})}};
    if (!facts.platform.variant.empty()) {
        config["variant"] = facts.platform.variant;
    }
    return json_fields::encode(config, json_fields::Layout::compact);
}

}  // namespace

Result<PlannedImage> make_rootfs_image(RootfsFacts const& facts, ImageLayer const& layer,
                                       std::string const& member) {
    PlannedImage image;
    image.config_bytes = OBLEA_TRY(encode_config(facts, layer));
    image.id = base::sha256(image.config_bytes);
    image.config.architecture = facts.platform.architecture;
    image.config.os = facts.platform.os;
    image.config.variant = facts.platform.variant;
    image.config.created = facts.created;
    image.config.diff_ids.push_back(layer.diff_id);
    json const manifest = {
        {"schemaVersion", 2},
        {"mediaType", media_type::kOciManifest},
        {"config",
         json_fields::descriptor(media_type::kOciConfig, image.id, image.config_bytes.size())},
        {"layers",
         json::array({json_fields::descriptor(layer.media_type, layer.blob, layer.blob_bytes)})}};
    image.manifest_bytes = json_fields::encode(manifest, json_fields::Layout::compact);
    LayerClaims claims;
    claims.diff_id = layer.diff_id;
    image.layers.push_back({member, claims, layer.diff_id});
    return image;
}

}  // namespace oblea::store
