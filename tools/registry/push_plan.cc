// SPDX-License-Identifier: MIT
#include "tools/registry/push_plan.h"

#include "store/base/limits.h"
#include "store/base/sys.h"
#include "store/image/manifest.h"
#include "store/layer/compress.h"
#include "store/layer/layout.h"

#include <nlohmann/json.hpp>

#include <algorithm>

namespace oblea::registry {

namespace sys = base::sys;
using base::UniqueFd;
using store::Compression;

namespace {

Compression compression_of(std::string_view media_type) {
    if (media_type.ends_with("gzip")) {
        return Compression::gzip;
    }
    return media_type.ends_with("zstd") ? Compression::zstd : Compression::none;
}

char const* layer_type(Compression compression) {
    switch (compression) {
    case Compression::gzip:
        return store::media_type::kOciLayerGzip;
    case Compression::zstd:
        return store::media_type::kOciLayerZstd;
    case Compression::none:
        break;
    }
    return store::media_type::kOciLayer;
}

bool is_tar(store::ImageLayer const& layer) {
    return layer.blob == layer.diff_id;
}

LayerPlan plan_layer(LayerState const& state, std::optional<Compression> wanted) {
    bool const fits = !wanted.has_value() ||
                      (!is_tar(state.layer) && compression_of(state.layer.media_type) == *wanted);
    if (fits && state.blob_exists && !is_tar(state.layer)) {
        return {.from = LayerPlan::From::blob};
    }
    return {.from = LayerPlan::From::compressed, .compression = wanted.value_or(Compression::gzip)};
}

// Passes on what an export writes, as long as nobody wants it to end.
class StoppableSink final : public store::TarSink {
public:
    StoppableSink(store::TarSink& sink, std::atomic<bool> const* cancel)
        : sink_(sink), cancel_(cancel) {}
    Status write(base::ByteView data) override {
        if (cancel_ != nullptr && *cancel_) {
            return fail(Errno::ecanceled, "", "interrupted");
        }
        return sink_.write(data);
    }

private:
    store::TarSink& sink_;
    std::atomic<bool> const* cancel_;
};

Result<PreparedLayer> rebuild(store::Store const& store, store::ImageLayer const& layer,
                              Compression compression, std::atomic<bool> const* cancel) {
    UniqueFd file = OBLEA_TRY(
        with_context(sys::openat(store.root(), store::layout::kTmp, O_TMPFILE | O_RDWR, 0600),
                     [] { return std::string{"a temporary file in the store"}; }));
    auto const compressor = OBLEA_TRY(store::make_compressor(compression, file.get()));
    StoppableSink sink{*compressor, cancel};
    OBLEA_TRY(store::export_layer(store.roots(), layer.diff_id, sink));
    auto const made = OBLEA_TRY(compressor->finish());
    return PreparedLayer{.diff_id = layer.diff_id,
                         .digest = made.digest,
                         .bytes = made.bytes,
                         .media_type = layer_type(compression),
                         .file = std::make_shared<UniqueFd>(std::move(file))};
}

Result<PreparedLayer> open_blob(store::Store const& store, store::ImageLayer const& layer) {
    std::string const path = store::layout::blob(layer.blob);
    auto part = OBLEA_TRY(store.roots().open_if_exists(path));
    if (!part.has_value()) {
        return fail(Errno::enoent, "", path + " is missing from " + store.roots().names());
    }
    UniqueFd file = std::move(part->file);
    struct stat const info = OBLEA_TRY(sys::fstat(file.get()));
    return PreparedLayer{.diff_id = layer.diff_id,
                         .digest = layer.blob,
                         .bytes = static_cast<std::uint64_t>(info.st_size),
                         .media_type = layer.media_type,
                         .file = std::make_shared<UniqueFd>(std::move(file))};
}

Result<PreparedLayer> prepare_layer(store::Store const& store, store::ImageLayer const& layer,
                                    LayerPlan const& plan, std::atomic<bool> const* cancel) {
    switch (plan.from) {
    case LayerPlan::From::blob:
        return open_blob(store, layer);
    case LayerPlan::From::tar:
        return rebuild(store, layer, Compression::none, cancel);
    case LayerPlan::From::compressed:
        break;
    }
    return rebuild(store, layer, plan.compression, cancel);
}

Result<std::string> read_document(store::Store const& store, store::Digest const& digest,
                                  std::size_t limit_bytes, char const* what) {
    auto text = OBLEA_TRY(store.read_blob(digest, limit_bytes));
    if (!text.has_value()) {
        return fail(Errno::enoent, "",
                    std::string{"the store has lost the "} + what + ' ' + digest.to_string() +
                        " of the image; import or pull it again");
    }
    return *std::move(text);
}

Result<std::vector<LayerState>> look_at(store::Store const& store, store::Image const& image) {
    std::vector<LayerState> states;
    for (auto const& layer : image.layers) {
        auto const there = OBLEA_TRY(store.roots().stat_if_exists(store::layout::blob(layer.blob)));
        states.push_back({.layer = layer, .blob_exists = there.has_value()});
    }
    return states;
}

}  // namespace

PushPlan plan_push(bool has_manifest, std::vector<LayerState> const& layers,
                   std::optional<Compression> wanted) {
    PushPlan plan;
    bool const keeps = has_manifest && std::ranges::all_of(layers, [&](LayerState const& state) {
                           // A tar is always to be had: from its recipe, byte for byte.
                           bool const there = state.blob_exists || is_tar(state.layer);
                           Compression const has = is_tar(state.layer)
                                                       ? Compression::none
                                                       : compression_of(state.layer.media_type);
                           return there && (!wanted.has_value() || has == *wanted);
                       });
    plan.manifest = keeps ? PushPlan::Manifest::as_it_came : PushPlan::Manifest::made_anew;
    for (auto const& state : layers) {
        if (!keeps) {
            plan.layers.push_back(plan_layer(state, wanted));
        } else {
            plan.layers.push_back(
                {.from = state.blob_exists ? LayerPlan::From::blob : LayerPlan::From::tar});
        }
    }
    return plan;
}

std::string encode_manifest(store::Digest const& config, std::size_t config_bytes,
                            std::vector<PreparedLayer> const& layers) {
    nlohmann::ordered_json list = nlohmann::ordered_json::array();
    for (auto const& layer : layers) {
        list.push_back({{"mediaType", layer.media_type},
                        {"digest", layer.digest.to_string()},
                        {"size", layer.bytes}});
    }
    nlohmann::ordered_json const document = {{"schemaVersion", 2},
                                             {"mediaType", store::media_type::kOciManifest},
                                             {"config",
                                              {{"mediaType", store::media_type::kOciConfig},
                                               {"digest", config.to_string()},
                                               {"size", config_bytes}}},
                                             {"layers", std::move(list)}};
    return document.dump();
}

Result<PreparedPush> prepare_push(store::Store const& store, store::Image const& image,
                                  PrepareOptions const& options) {
    PreparedPush prepared;
    prepared.config_digest = image.id;
    prepared.config =
        OBLEA_TRY(read_document(store, image.id, limits::kConfigBytesMax, "configuration"));
    auto const states = OBLEA_TRY(look_at(store, image));
    PushPlan const plan = plan_push(image.manifest.has_value(), states, options.compression);
    for (std::size_t i = 0; i < image.layers.size(); ++i) {
        prepared.layers.push_back(OBLEA_TRY(
            with_context(prepare_layer(store, image.layers[i], plan.layers[i], options.cancel),
                         [&] { return "layer " + image.layers[i].diff_id.short_hex(); })));
    }
    prepared.manifest_origin = plan.manifest;
    if (plan.manifest == PushPlan::Manifest::made_anew) {
        prepared.manifest = encode_manifest(image.id, prepared.config.size(), prepared.layers);
        prepared.media_type = store::media_type::kOciManifest;
        return prepared;
    }
    prepared.manifest =
        OBLEA_TRY(read_document(store, *image.manifest, limits::kManifestBytesMax, "manifest"));
    auto const parsed = OBLEA_TRY(store::parse_manifest(prepared.manifest, "", "manifest"));
    prepared.media_type =
        std::visit([](auto const& document) { return document.media_type; }, parsed);
    return prepared;
}

std::vector<std::string> mount_candidates(store::Images const& images,
                                          store::Reference const& target,
                                          store::Digest const& blob) {
    std::vector<std::string> candidates;
    for (auto const& image : images.all()) {
        if (std::ranges::find(image.layers, blob, &store::ImageLayer::blob) == image.layers.end()) {
            continue;
        }
        for (auto const& name : image.names) {
            auto const reference = store::Reference::parse(name);
            if (reference.has_value() && reference->domain == target.domain &&
                reference->path != target.path &&
                std::ranges::find(candidates, reference->path) == candidates.end()) {
                candidates.push_back(reference->path);
            }
        }
    }
    return candidates;
}

}  // namespace oblea::registry
