// SPDX-License-Identifier: MIT
#include "store/image/manifest.h"

#include "store/image/json_fields.h"

#include "store/base/limits.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>

namespace oblea::store {

using json_fields::invalid;
using nlohmann::json;

namespace {

constexpr std::size_t kDescriptorsMax = 10'000;  // of one index
constexpr char kAttestation[] = "attestation-manifest";

Result<Platform> parse_platform(json const& object, std::string_view what) {
    Platform platform;
    platform.os = OBLEA_TRY(json_fields::text_if(object, "os", what)).value_or("");
    platform.architecture =
        OBLEA_TRY(json_fields::text_if(object, "architecture", what)).value_or("");
    platform.variant = OBLEA_TRY(json_fields::text_if(object, "variant", what)).value_or("");
    return platform;
}

Result<Descriptor> parse_descriptor(json const& object, std::string_view what) {
    if (!object.is_object()) {
        return invalid(what, "a descriptor is not an object");
    }
    Descriptor descriptor;
    descriptor.media_type = OBLEA_TRY(json_fields::text_if(object, "mediaType", what)).value_or("");
    descriptor.digest = OBLEA_TRY(json_fields::digest(object, "digest", what));
    descriptor.bytes = OBLEA_TRY(json_fields::number(object, "size", what));
    descriptor.artifact_type =
        OBLEA_TRY(json_fields::text_if(object, "artifactType", what)).value_or("");
    if (json const* annotations = OBLEA_TRY(json_fields::object_if(object, "annotations", what))) {
        for (auto const& item : annotations->items()) {
            if (item.value().is_string()) {
                descriptor.annotations[item.key()] = item.value().get<std::string>();
            }
        }
    }
    if (json const* platform = OBLEA_TRY(json_fields::object_if(object, "platform", what))) {
        descriptor.platform = OBLEA_TRY(parse_platform(*platform, what));
    }
    return descriptor;
}

Result<std::vector<Descriptor>> parse_descriptors(json const& list, std::size_t count_max,
                                                  std::string_view what) {
    if (list.size() > count_max) {
        return fail(Errno::e2big, "",
                    fmt::format("{}: {} entries are more than the {} allowed", what, list.size(),
                                count_max));
    }
    std::vector<Descriptor> descriptors;
    for (json const& object : list) {
        descriptors.push_back(OBLEA_TRY(parse_descriptor(object, what)));
    }
    return descriptors;
}

bool is_layer_type(std::string_view type) {
    // Old and new, of both makers, with and without compression; what the bytes are is seen from
    // the bytes.
    return type.empty() || type.starts_with(media_type::kOciLayer) ||
           type.starts_with("application/vnd.oci.image.layer.nondistributable.v1.tar") ||
           type.starts_with("application/vnd.docker.image.rootfs.diff.tar") ||
           type.starts_with("application/vnd.docker.image.rootfs.foreign.diff.tar");
}

Status expect_image(Manifest const& manifest, std::string const& artifact_type,
                    std::string_view what) {
    std::string const& config = manifest.config.media_type;
    bool const image_config =
        config.empty() || config == media_type::kOciConfig || config == media_type::kDockerConfig;
    if (!artifact_type.empty() || !image_config) {
        return fail(Errno::eopnotsupp, "",
                    fmt::format("{} is an artifact of type {}, not a container image", what,
                                artifact_type.empty() ? config : artifact_type));
    }
    for (Descriptor const& layer : manifest.layers) {
        if (layer.media_type.ends_with("+encrypted")) {
            return fail(Errno::eopnotsupp, "",
                        fmt::format("{}: layer {} is encrypted ({}); decrypt the image first", what,
                                    layer.digest.short_hex(), layer.media_type));
        }
        if (!is_layer_type(layer.media_type)) {
            return fail(Errno::eopnotsupp, "",
                        fmt::format("{}: layer {} has the unsupported media type {}", what,
                                    layer.digest.short_hex(), layer.media_type));
        }
    }
    return {};
}

Result<Manifest> read_manifest(json const& document, std::string type, std::string_view what) {
    Manifest manifest;
    manifest.media_type = type.empty() ? media_type::kOciManifest : std::move(type);
    std::string const artifact_type =
        OBLEA_TRY(json_fields::text_if(document, "artifactType", what)).value_or("");
    json const* const config = OBLEA_TRY(json_fields::object_if(document, "config", what));
    if (config == nullptr) {
        return invalid(what, "\"config\" is missing");
    }
    manifest.config = OBLEA_TRY(parse_descriptor(*config, what));
    if (json const* layers = OBLEA_TRY(json_fields::array_if(document, "layers", what))) {
        manifest.layers = OBLEA_TRY(parse_descriptors(*layers, limits::kLayersMax, what));
    }
    OBLEA_TRY(expect_image(manifest, artifact_type, what));
    return manifest;
}

Result<ImageIndex> read_index(json const& document, std::string type, std::string_view what) {
    ImageIndex index;
    index.media_type = type.empty() ? media_type::kOciIndex : std::move(type);
    json const& manifests = *OBLEA_TRY(json_fields::array(document, "manifests", what));
    index.manifests = OBLEA_TRY(parse_descriptors(manifests, kDescriptorsMax, what));
    return index;
}

bool is_index_type(std::string_view type) {
    return type == media_type::kOciIndex || type == media_type::kDockerIndex;
}

bool is_manifest_type(std::string_view type) {
    return type == media_type::kOciManifest || type == media_type::kDockerManifest;
}

// A document that two readers take for different things is how a checked image becomes another one.
Status expect_one_meaning(json const& document, std::string_view type, std::string_view declared,
                          std::string_view what) {
    bool const as_index = document.contains("manifests");
    bool const as_manifest = document.contains("layers") || document.contains("config");
    if ((as_index && as_manifest) || (as_index && is_manifest_type(type)) ||
        (as_manifest && is_index_type(type))) {
        return fail(Errno::ebadmsg, "",
                    fmt::format("{} is ambiguous: manifest and image index at once", what));
    }
    if (!type.empty() && !declared.empty() && type != declared) {
        return fail(
            Errno::ebadmsg, "",
            fmt::format("{} says that it is {}, its descriptor says {}", what, type, declared));
    }
    return {};
}

// "sha256-<64 digits>.sig": cosign's name for what it keeps beside the image of that digest.
bool is_companion_name(std::string_view name) {
    constexpr std::string_view kPrefix = "sha256-";
    constexpr std::size_t kDigits = 64;
    if (!name.starts_with(kPrefix) || name.size() <= kPrefix.size() + kDigits) {
        return false;
    }
    return Digest::parse_hex(name.substr(kPrefix.size(), kDigits)).has_value() &&
           name[kPrefix.size() + kDigits] == '.';
}

}  // namespace

bool Descriptor::is_attestation() const {
    auto const name = annotations.find(kRefNameAnnotation);
    if (name != annotations.end() && is_companion_name(name->second)) {
        return true;
    }
    auto const type = annotations.find("vnd.docker.reference.type");
    bool const unknown =
        platform.has_value() && platform->os == "unknown" && platform->architecture == "unknown";
    return unknown || (type != annotations.end() && type->second == kAttestation);
}

Result<std::variant<Manifest, ImageIndex>>
parse_manifest(std::string_view bytes, std::string_view declared, std::string_view what) {
    json const document =
        OBLEA_TRY(json_fields::parse_object(bytes, what, limits::kManifestBytesMax));
    std::string type = OBLEA_TRY(json_fields::text_if(document, "mediaType", what)).value_or("");
    OBLEA_TRY(expect_one_meaning(document, type, declared, what));
    auto const version = OBLEA_TRY(json_fields::number_if(document, "schemaVersion", what));
    if (version == 1 || document.contains("fsLayers")) {
        return fail(Errno::eopnotsupp, "",
                    fmt::format("{} is in docker's manifest schema 1, which is no longer "
                                "supported; push or save the image anew with a current tool",
                                what));
    }
    if (type.empty()) {
        type = declared;
    }
    if (document.contains("manifests")) {
        return std::variant<Manifest, ImageIndex>{
            OBLEA_TRY(read_index(document, std::move(type), what))};
    }
    if (!type.empty() && !is_manifest_type(type)) {
        return fail(Errno::eopnotsupp, "",
                    fmt::format("{} has the unsupported media type {}", what, type));
    }
    return std::variant<Manifest, ImageIndex>{
        OBLEA_TRY(read_manifest(document, std::move(type), what))};
}

Result<std::vector<Descriptor>> parse_artifact_layers(std::string_view bytes,
                                                      std::string_view what) {
    json const document =
        OBLEA_TRY(json_fields::parse_object(bytes, what, limits::kManifestBytesMax));
    json const& layers = *OBLEA_TRY(json_fields::array(document, "layers", what));
    return parse_descriptors(layers, limits::kLayersMax, what);
}

Result<ImageIndex> parse_layout_index(std::string_view bytes, std::string_view what) {
    json const document =
        OBLEA_TRY(json_fields::parse_object(bytes, what, limits::kManifestBytesMax));
    return read_index(document, media_type::kOciIndex, what);
}

Result<Descriptor const*> choose_platform(ImageIndex const& index, Platform const& wanted,
                                          std::string_view what) {
    Descriptor const* best = nullptr;
    unsigned best_rank = 0;
    std::vector<std::string> seen;
    for (Descriptor const& descriptor : index.manifests) {
        bool const known = descriptor.media_type.empty() ||
                           is_manifest_type(descriptor.media_type) ||
                           is_index_type(descriptor.media_type);
        if (!known || descriptor.is_attestation() || !descriptor.artifact_type.empty()) {
            continue;
        }
        auto const rank = descriptor.platform.has_value()
                              ? platform_rank(wanted, *descriptor.platform)
                              : std::optional{1'000U};
        if (rank.has_value() && (best == nullptr || *rank < best_rank)) {
            best = &descriptor;
            best_rank = *rank;
        }
        std::string name =
            descriptor.platform.has_value() ? descriptor.platform->to_string() : "any";
        if (std::ranges::find(seen, name) == seen.end()) {
            seen.push_back(std::move(name));
        }
    }
    if (best == nullptr) {
        return fail(
            Errno::enoent, "",
            fmt::format("{}: no matching manifest for {} in the manifest list entries; "
                        "there is {} (choose by --platform)",
                        what, wanted.to_string(),
                        seen.empty() ? "no image" : fmt::format("{}", fmt::join(seen, ", "))));
    }
    return best;
}

namespace {

Status read_rootfs(json const& document, ImageConfig& config, std::string_view what) {
    json const* const rootfs = OBLEA_TRY(json_fields::object_if(document, "rootfs", what));
    if (rootfs == nullptr) {
        return invalid(what, "\"rootfs\" is missing: this is not the config of an image");
    }
    std::string const type = OBLEA_TRY(json_fields::text(*rootfs, "type", what));
    if (type != "layers") {
        return invalid(what, "the rootfs has the unknown type \"" + type.substr(0, 100) + '"');
    }
    json const* const diff_ids = OBLEA_TRY(json_fields::array_if(*rootfs, "diff_ids", what));
    if (diff_ids == nullptr) {
        return {};  // an image without layers
    }
    if (diff_ids->size() > limits::kLayersMax) {
        return fail(Errno::e2big, "",
                    fmt::format("{}: {} layers are more than the {} allowed", what,
                                diff_ids->size(), limits::kLayersMax));
    }
    for (json const& diff_id : *diff_ids) {
        if (!diff_id.is_string()) {
            return invalid(what, "a diff ID is not a string");
        }
        config.diff_ids.push_back(
            OBLEA_TRY(with_context(Digest::parse(diff_id.get_ref<std::string const&>()),
                                   [&] { return std::string{what} + ", diff_ids"; })));
    }
    return {};
}

Status read_history(json const& document, ImageConfig& config, std::string_view what) {
    json const* const history = OBLEA_TRY(json_fields::array_if(document, "history", what));
    if (history == nullptr) {
        return {};
    }
    config.has_history = !history->empty();
    for (json const& entry : *history) {
        if (!entry.is_object()) {
            return invalid(what, "an entry of the history is not an object");
        }
        if (!OBLEA_TRY(json_fields::flag(entry, "empty_layer", what))) {
            ++config.history_layers;
        }
    }
    return {};
}

}  // namespace

Result<ImageConfig> parse_config(std::string_view bytes, std::string_view what) {
    json const document =
        OBLEA_TRY(json_fields::parse_object(bytes, what, limits::kConfigBytesMax));
    ImageConfig config;
    config.architecture = OBLEA_TRY(json_fields::text(document, "architecture", what));
    config.os = OBLEA_TRY(json_fields::text(document, "os", what));
    if (config.architecture.empty() || config.os.empty()) {
        return invalid(what, "it does not say for which operating system and processor it is");
    }
    config.variant = OBLEA_TRY(json_fields::text_if(document, "variant", what)).value_or("");
    config.created = OBLEA_TRY(json_fields::text_if(document, "created", what)).value_or("");
    OBLEA_TRY(read_rootfs(document, config, what));
    OBLEA_TRY(read_history(document, config, what));
    return config;
}

Result<std::vector<DockerArchiveImage>> parse_docker_manifest(std::string_view bytes,
                                                              std::string_view what) {
    if (bytes.size() > limits::kManifestBytesMax) {
        return fail(Errno::e2big, "", fmt::format("{}: {} bytes are too many", what, bytes.size()));
    }
    json const document = json::parse(bytes, nullptr, false);
    if (document.is_discarded() || !document.is_array()) {
        return invalid(what, "not a JSON array of images");
    }
    auto const texts = [&](json const& object,
                           char const* key) -> Result<std::vector<std::string>> {
        std::vector<std::string> list;
        json const* const array = OBLEA_TRY(json_fields::array_if(object, key, what));
        for (std::size_t i = 0; array != nullptr && i < array->size(); ++i) {
            if (!(*array)[i].is_string()) {
                return invalid(what, fmt::format("\"{}\" holds something else than strings", key));
            }
            list.push_back((*array)[i].get<std::string>());
        }
        return list;
    };
    std::vector<DockerArchiveImage> images;
    for (json const& object : document) {
        if (!object.is_object()) {
            return invalid(what, "an image is not an object");
        }
        DockerArchiveImage image;
        image.config = OBLEA_TRY(json_fields::text(object, "Config", what));
        image.names = OBLEA_TRY(texts(object, "RepoTags"));
        image.layers = OBLEA_TRY(texts(object, "Layers"));
        if (image.layers.size() > limits::kLayersMax) {
            return fail(Errno::e2big, "", fmt::format("{}: too many layers", what));
        }
        images.push_back(std::move(image));
    }
    return images;
}

}  // namespace oblea::store
