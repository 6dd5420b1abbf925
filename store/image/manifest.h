// SPDX-License-Identifier: MIT
// Manifests, image indexes and configs, of OCI and of docker, as types that cannot be wrong.
//
// Strict in what the store relies on (digests, sizes, counts, kinds), tolerant in the rest: unknown
// fields are ignored, optional ones may be null. Nothing here is ever written back: the bytes that
// came are what is kept. Pure; safe from any thread.
// Spec: image-spec manifest.md, image-index.md, config.md, descriptor.md; distribution "Image
// Manifest Version 2, Schema 2".
#pragma once
#include "store/image/platform.h"
#include "store/index/types.h"

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace oblea::store {

namespace media_type {
inline constexpr char const* kOciIndex = "application/vnd.oci.image.index.v1+json";
inline constexpr char const* kOciManifest = "application/vnd.oci.image.manifest.v1+json";
inline constexpr char const* kOciConfig = "application/vnd.oci.image.config.v1+json";
inline constexpr char const* kOciLayer = "application/vnd.oci.image.layer.v1.tar";
inline constexpr char const* kOciLayerGzip = "application/vnd.oci.image.layer.v1.tar+gzip";
inline constexpr char const* kOciLayerZstd = "application/vnd.oci.image.layer.v1.tar+zstd";
inline constexpr char const* kDockerIndex =
    "application/vnd.docker.distribution.manifest.list.v2+json";
inline constexpr char const* kDockerManifest =
    "application/vnd.docker.distribution.manifest.v2+json";
inline constexpr char const* kDockerConfig = "application/vnd.docker.container.image.v1+json";
}  // namespace media_type

inline constexpr char const* kRefNameAnnotation = "org.opencontainers.image.ref.name";
inline constexpr char const* kFullNameAnnotation = "io.containerd.image.name";

struct Descriptor {
    std::string media_type;
    Digest digest;
    std::uint64_t bytes = 0;
    std::map<std::string, std::string> annotations;
    std::optional<Platform> platform;
    std::string artifact_type;

    // Of a signature, an attestation or another companion of an image, which is no image.
    [[nodiscard]] bool is_attestation() const;
};

struct Manifest {
    std::string media_type;
    Descriptor config;
    std::vector<Descriptor> layers;  // bottom first
};

struct ImageIndex {
    std::string media_type;
    std::vector<Descriptor> manifests;
};

// `declared` is the media type that the descriptor of these bytes has, or empty; `what` names the
// document in messages. Errors: EINVAL for what is neither manifest nor index; EBADMSG when the
// document contradicts its descriptor or is both at once; EOPNOTSUPP for an artifact, an encrypted
// layer and schema 1, each by name; E2BIG past a limit.
Result<std::variant<Manifest, ImageIndex>>
parse_manifest(std::string_view bytes, std::string_view declared, std::string_view what);

// The layers of a manifest that may be of an artifact, such as signatures. Errors: EINVAL, E2BIG.
Result<std::vector<Descriptor>> parse_artifact_layers(std::string_view bytes,
                                                      std::string_view what);

// index.json of an OCI layout, which is an index whatever its media type says.
Result<ImageIndex> parse_layout_index(std::string_view bytes, std::string_view what);

// The first of the best manifests for the platform, without attestations. Entries without a
// platform suit any. Errors: ENOENT "no matching manifest for ...", listing those that are there.
Result<Descriptor const*> choose_platform(ImageIndex const& index, Platform const& wanted,
                                          std::string_view what);

struct ImageConfig {
    std::string architecture;
    std::string os;
    std::string variant;
    std::string created;  // as it stands; may be empty
    std::vector<Digest> diff_ids;
    std::size_t history_layers = 0;  // entries of the history that made a layer
    bool has_history = false;
};

// Errors: EINVAL for what is no config of an image (architecture and os, not empty, rootfs with
// type "layers"); E2BIG past a limit.
Result<ImageConfig> parse_config(std::string_view bytes, std::string_view what);

// One image of manifest.json in a docker archive: names of members, as they stand.
struct DockerArchiveImage {
    std::string config;
    std::vector<std::string> names;  // RepoTags
    std::vector<std::string> layers;
};

Result<std::vector<DockerArchiveImage>> parse_docker_manifest(std::string_view bytes,
                                                              std::string_view what);

}  // namespace oblea::store
