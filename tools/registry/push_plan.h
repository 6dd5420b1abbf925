// SPDX-License-Identifier: MIT
// What is pushed for an image: its blobs as they came wherever they still exist, so that digests
// and signatures hold; rebuilt ones only where they do not, or where another compression is asked
// for.
//
// plan_push() is pure; prepare_push() looks into the store and writes the layers that have to be
// rebuilt to files that have no name.
#pragma once
#include "store/image/images.h"
#include "store/image/reference.h"
#include "store/layer/decompress.h"
#include "store/store.h"

#include <atomic>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace oblea::registry {

struct LayerState {
    store::ImageLayer layer;
    bool blob_exists = false;  // in blobs/
};

struct LayerPlan {
    enum class From {
        blob,        // the file in blobs/
        tar,         // the layer's tar, which is its blob
        compressed,  // the layer's tar, compressed anew
    };
    From from = From::blob;
    store::Compression compression = store::Compression::none;  // of `compressed`
    bool operator==(LayerPlan const&) const = default;
};

struct PushPlan {
    enum class Manifest { as_it_came, made_anew } manifest = Manifest::as_it_came;
    std::vector<LayerPlan> layers;
};

// `wanted` is what the user asked for; without it nothing is changed that need not be, and what has
// to be compressed becomes gzip.
[[nodiscard]] PushPlan plan_push(bool has_manifest, std::vector<LayerState> const& layers,
                                 std::optional<store::Compression> wanted);

struct PreparedLayer {
    store::Digest diff_id;
    store::Digest digest;
    std::uint64_t bytes = 0;
    std::string media_type;
    std::shared_ptr<base::UniqueFd> file;  // the blob
};

struct PreparedPush {
    PushPlan::Manifest manifest_origin = PushPlan::Manifest::as_it_came;
    std::string manifest;
    std::string media_type;
    std::string config;
    store::Digest config_digest;
    std::vector<PreparedLayer> layers;  // bottom first
};

struct PrepareOptions {
    std::optional<store::Compression> compression{};
    std::atomic<bool> const* cancel = nullptr;
};

// The caller holds a lease. Errors: ENOENT for a config or manifest that the store has lost; as
// export_layer(); ECANCELED.
Result<PreparedPush> prepare_push(store::Store const& store, store::Image const& image,
                                  PrepareOptions const& options);

// The manifest of an image that has none: the same bytes for the same blobs.
[[nodiscard]] std::string encode_manifest(store::Digest const& config, std::size_t config_bytes,
                                          std::vector<PreparedLayer> const& layers);

// Repositories of the registry `domain`, other than `path`, from which the layer may be mounted, as
// far as the names of the store's images tell.
[[nodiscard]] std::vector<std::string> mount_candidates(store::Images const& images,
                                                        store::Reference const& target,
                                                        store::Digest const& blob);

}  // namespace oblea::registry
