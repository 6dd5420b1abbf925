// SPDX-License-Identifier: MIT
#include "tools/registry/pull_image.h"

#include "store/base/limits.h"
#include "store/gc.h"
#include "store/image/import_plan.h"
#include "store/image/layer_importer.h"
#include "store/image/publish_images.h"
#include "store/layer/import_layer.h"

#include <algorithm>
#include <map>

namespace oblea::registry {

namespace {

using Clients = std::vector<std::unique_ptr<RegistryClient>>;

// Layers as the files that the import reads, by the digest of their blobs.
class RemoteLayers final : public store::SeekableFiles {
public:
    RemoteLayers(Clients const& clients, store::Manifest const& manifest) : clients_(clients) {
        for (auto const& layer : manifest.layers) {
            layers_.emplace(layer.digest.to_string(), layer);
        }
    }

    [[nodiscard]] Result<std::optional<std::string>>
    resolve(std::string const& name) const override {
        return layers_.contains(name) ? std::optional{name} : std::nullopt;
    }

    [[nodiscard]] Result<File> open(std::string const& resolved_name) const override {
        store::Descriptor const& layer = layers_.at(resolved_name);
        auto source = clients_.front()->blob(layer.digest, layer.bytes);
        // A mirror may have a manifest without its layers.
        for (std::size_t i = 1; !source.has_value() && i < clients_.size(); ++i) {
            if (source.error().code == Errno::ecanceled) {
                break;
            }
            source = clients_[i]->blob(layer.digest, layer.bytes);
        }
        auto stream = OBLEA_TRY(std::move(source));
        return File{.source = std::move(stream), .bytes = layer.bytes};
    }

private:
    Clients const& clients_;
    std::map<std::string, store::Descriptor> layers_;
};

struct FoundManifest {
    base::Digest digest;  // of what the name stands for
    std::string bytes;    // of the platform's manifest
    store::Manifest manifest;
};

// The first of the endpoints that has what is asked for comes first afterwards; those before it are
// dropped, as they have failed.
Result<RemoteManifest> fetch_first(Clients& clients, std::string const& reference) {
    for (;;) {
        auto manifest = clients.front()->manifest(reference);
        if (manifest.has_value() || clients.size() == 1 ||
            manifest.error().code == Errno::ecanceled) {
            return manifest;
        }
        clients.erase(clients.begin());
    }
}

Result<FoundManifest> find_manifest(Clients& clients, PullRequest const& request) {
    auto const& wanted = request.reference;
    std::string const what = wanted.familiar();
    std::string const reference =
        wanted.digest.has_value() ? wanted.digest->to_string() : wanted.tag.value_or("latest");
    store::Platform platform = store::Platform::of_machine();
    if (!request.platform.empty()) {
        platform = OBLEA_TRY(store::Platform::parse(request.platform));
    }
    RemoteManifest remote = OBLEA_TRY(fetch_first(clients, reference));
    FoundManifest found{.digest = remote.digest, .bytes = {}, .manifest = {}};
    for (std::size_t depth = 0; depth <= limits::kIndexDepthMax; ++depth) {
        auto parsed = OBLEA_TRY(store::parse_manifest(remote.bytes, remote.media_type, what));
        if (auto* const manifest = std::get_if<store::Manifest>(&parsed); manifest != nullptr) {
            found.manifest = std::move(*manifest);
            found.bytes = std::move(remote.bytes);
            return found;
        }
        auto const& index = std::get<store::ImageIndex>(parsed);
        store::Descriptor const& chosen = *OBLEA_TRY(store::choose_platform(index, platform, what));
        remote = OBLEA_TRY(clients.front()->manifest(chosen.digest.to_string()));
        if (remote.bytes.size() != chosen.bytes) {
            return fail(Errno::ebadmsg, "",
                        what + ": the manifest " + chosen.digest.to_string() +
                            " has another size than the index says");
        }
        remote.media_type = chosen.media_type;
    }
    return fail(Errno::e2big, "", what + ": image indexes nested too deeply");
}

std::string stored_name(store::Reference const& reference) {
    if (reference.digest.has_value()) {
        return reference.repository() + '@' + reference.digest->to_string();
    }
    return reference.canonical();
}

// The image, when it has the name already and nothing of it is missing.
Result<std::optional<store::Digest>>
find_up_to_date(store::Store const& store, std::string const& name, base::Digest const& manifest) {
    auto const images = OBLEA_TRY(store.images());
    store::Image const* const image = images.find_name(name);
    if (image == nullptr || image->manifest != manifest) {
        return std::optional<store::Digest>{};
    }
    for (auto const& layer : image->layers) {
        if (!OBLEA_TRY(store::has_layer(store.root(), layer.diff_id))) {
            return std::optional<store::Digest>{};
        }
    }
    return std::optional{image->id};
}

Result<store::PlannedImage> plan_image(RegistryClient& client, FoundManifest const& found,
                                       PullRequest const& request) {
    std::string const what = request.reference.familiar();
    store::Descriptor const& config = found.manifest.config;
    store::PlannedImage image;
    image.id = config.digest;
    image.config_bytes = OBLEA_TRY(client.blob_bytes(config.digest, config.bytes));
    image.config = OBLEA_TRY(store::parse_config(image.config_bytes, "config of " + what));
    image.manifest_bytes = found.bytes;
    image.names = {stored_name(request.reference)};
    auto const& layers = found.manifest.layers;
    if (layers.size() != image.config.diff_ids.size()) {
        return fail(Errno::ebadmsg, "",
                    what + ": invalid manifest, layers length mismatch: expected " +
                        std::to_string(image.config.diff_ids.size()) + ", got " +
                        std::to_string(layers.size()));
    }
    for (std::size_t i = 0; i < layers.size(); ++i) {
        store::Digest const diff_id = image.config.diff_ids[i];
        image.layers.push_back({.member = layers[i].digest.to_string(),
                                .claims = {.blob = layers[i].digest,
                                           .blob_bytes = layers[i].bytes,
                                           .diff_id = diff_id},
                                .diff_id = diff_id});
    }
    return image;
}

Result<Clients> clients_for(RegistrySession& session, store::Reference const& reference) {
    auto const endpoints = OBLEA_TRY(session.endpoints(reference));
    Clients clients;
    for (auto const& endpoint : endpoints) {
        clients.push_back(session.client(endpoint, reference.familiar_repository()));
    }
    return clients;
}

}  // namespace

Result<std::vector<std::string>> list_tags(RegistrySession& session,
                                           store::Reference const& reference) {
    // Mirrors need not know all tags: the registry itself is asked.
    auto const clients = OBLEA_TRY(clients_for(session, reference));
    return clients.back()->tags();
}

Result<PulledImage> pull_image(store::Store const& store, RegistrySession& session,
                               PullRequest const& request,
                               std::function<void(store::ImportProgress const&)> const& progress) {
    store::Lease const lease = OBLEA_TRY(store.take_lease("pull"));
    Clients clients = OBLEA_TRY(clients_for(session, request.reference));
    FoundManifest const found = OBLEA_TRY(find_manifest(clients, request));
    std::string const name = stored_name(request.reference);
    auto const known =
        OBLEA_TRY(find_up_to_date(store, name, base::sha256(std::string_view{found.bytes})));
    if (known.has_value()) {
        return PulledImage{
            .outcome = PulledImage::Outcome::up_to_date, .id = *known, .digest = found.digest};
    }
    auto image = OBLEA_TRY(plan_image(*clients.front(), found, request));
    auto const run = [&]() -> Status {
        std::vector<store::PlannedImage> const images{image};
        store::LayerOutcomes outcomes;
        {
            store::ProgressBoard board{progress};
            auto const importer =
                OBLEA_TRY(store::LayerImporter::create(store, board, request.cancel));
            RemoteLayers const layers{clients, found.manifest};
            outcomes = OBLEA_TRY(importer.import_all(layers, images, request.jobs));
        }
        OBLEA_TRY(store::publish_images(store, images, outcomes, name));
        return {};
    };
    Status const done = run();
    if (!done.has_value()) {
        // What stays behind if this fails too is debris, which gc removes.
        static_cast<void>(store::discard_since(store, lease));
        return std::unexpected<Error>(with_context(done.error(), request.reference.familiar()));
    }
    return PulledImage{
        .outcome = PulledImage::Outcome::downloaded, .id = image.id, .digest = found.digest};
}

}  // namespace oblea::registry
