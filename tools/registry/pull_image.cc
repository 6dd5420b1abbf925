// SPDX-License-Identifier: MIT
#include "tools/registry/pull_image.h"

#include "store/base/limits.h"
#include "store/gc.h"
#include "store/image/import_plan.h"
#include "store/image/layer_importer.h"
#include "store/image/publish_images.h"
#include "store/layer/import_layer.h"
#include "store/repair.h"
#include "tools/registry/download/downloads.h"
#include "tools/registry/signature/check_signatures.h"

#include <oneapi/tbb/global_control.h>

#include <algorithm>
#include <map>
#include <thread>

namespace oblea::registry {

namespace {

using Clients = std::vector<std::unique_ptr<RegistryClient>>;

// Layers that come at the same time, however few processors there are: most of them wait for the
// network.
constexpr unsigned kLayersAtOnce = 6;

// Layers as the files that the import reads, by the digest of their blobs.
class RemoteLayers final : public store::SeekableFiles {
public:
    RemoteLayers(Downloads& downloads, store::Manifest const& manifest) : downloads_(downloads) {
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
        auto opened = OBLEA_TRY(downloads_.open(layer.digest, layer.bytes));
        return File{.source = std::move(opened.source),
                    .bytes = layer.bytes,
                    .stream_file = std::move(opened.path)};
    }

private:
    Downloads& downloads_;
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
        if (!OBLEA_TRY(store::has_layer(store.roots(), layer.diff_id))) {
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

PullProgress::State state_of(store::ImportProgress::Layer const* imported,
                             DownloadProgress const* download) {
    using From = store::ImportProgress::State;
    using enum PullProgress::State;
    if (imported != nullptr && imported->state == From::already_there) {
        return already_there;
    }
    if (imported != nullptr && imported->state == From::done) {
        return done;
    }
    if (download == nullptr) {
        return waiting;
    }
    if (download->bytes < download->total_bytes) {
        return downloading;
    }
    return imported != nullptr && imported->bytes > 0 ? extracting : downloaded;
}

// Import and download know a part each.
PullProgress joined_progress(store::Manifest const& manifest,
                             std::vector<DownloadProgress> const& downloads,
                             store::ImportProgress const& imports) {
    PullProgress progress;
    for (auto const& layer : manifest.layers) {
        auto const download = std::ranges::find(downloads, layer.digest, &DownloadProgress::blob);
        auto const imported = std::ranges::find(imports.layers, layer.digest.short_hex(),
                                                &store::ImportProgress::Layer::id);
        auto const* const one = download == downloads.end() ? nullptr : &*download;
        auto const* const other = imported == imports.layers.end() ? nullptr : &*imported;
        auto const state = state_of(other, one);
        bool const coming = state == PullProgress::State::downloading;
        std::uint64_t const bytes = coming ? one->bytes : other != nullptr ? other->bytes : 0;
        progress.layers.push_back({.id = layer.digest.short_hex(),
                                   .state = state,
                                   .bytes = bytes,
                                   .total_bytes = layer.bytes});
    }
    return progress;
}

// The documents of an image that is there; its layers have come.
Status restore(store::Store const& store, store::PlannedImage const& image,
               store::Distrust const& distrust) {
    OBLEA_TRY(store::restore_blob(store, image.config_bytes, distrust));
    return store::restore_blob(store, *image.manifest_bytes, distrust);
}

// The layers of one image, downloaded and imported.
class LayerPull {
public:
    using Listener = std::function<void(PullProgress const&)>;
    LayerPull(store::Store const& store, Clients const& clients, store::Manifest const& manifest,
              PullRequest const& request, Listener const& listener)
        : store_(store), clients_(clients), manifest_(manifest), request_(request),
          listener_(listener) {}

    // Everything of the image is published afterwards; it is not listed.
    Result<store::LayerOutcomes> run(store::PlannedImage const& image) {
        bool again = false;
        auto outcomes = attempt(image, again);
        // What an earlier process left may have been wrong; what comes anew need not be.
        return again ? attempt(image, again) : std::move(outcomes);
    }

private:
    Result<store::LayerOutcomes> attempt(store::PlannedImage const& image, bool& again) {
        unsigned const jobs = request_.jobs != 0
                                  ? request_.jobs
                                  : std::max(kLayersAtOnce, std::thread::hardware_concurrency());
        tbb::global_control const threads{tbb::global_control::max_allowed_parallelism, jobs};
        Downloads downloads{clients_, {.root = store_.root(), .cancel = request_.cancel}};
        std::function<void(store::ImportProgress const&)> told;
        if (listener_) {
            told = [&](store::ImportProgress const& imports) {
                listener_(joined_progress(manifest_, downloads.progress(), imports));
            };
        }
        store::ProgressBoard board{told};
        auto outcomes = import_from(downloads, board, image, jobs);
        if (outcomes.has_value()) {
            OBLEA_TRY(downloads.finish());
        } else if (outcomes.error().code == Errno::ebadmsg ||
                   outcomes.error().code == Errno::einval) {
            // Another digest, or what cannot be decompressed.
            again = OBLEA_TRY(downloads.discard_wrong());
        }
        return outcomes;
    }

    Result<store::LayerOutcomes> import_from(Downloads& downloads, store::ProgressBoard& board,
                                             store::PlannedImage const& image, unsigned jobs) {
        auto const importer = OBLEA_TRY(
            store::LayerImporter::create(store_, board, request_.cancel, {.distrust = distrust()}));
        RemoteLayers const layers{downloads, manifest_};
        auto outcomes = OBLEA_TRY(importer.import_all(layers, {image}, jobs));
        if (request_.repair != nullptr) {
            OBLEA_TRY(importer.publish());
            OBLEA_TRY(restore(store_, image, *request_.repair));
        } else {
            OBLEA_TRY(store::publish_parts(store_, importer, {image}, outcomes));
        }
        return outcomes;
    }

    [[nodiscard]] store::Distrust distrust() const {
        return request_.repair != nullptr ? *request_.repair : store::Distrust{};
    }

    store::Store const& store_;
    Clients const& clients_;
    store::Manifest const& manifest_;
    PullRequest const& request_;
    Listener const& listener_;
};

SignedImage signed_image(FoundManifest const& found, store::Reference const& reference) {
    store::Digest const own = base::sha256(std::string_view{found.bytes});
    SignedImage image{.reference = reference, .manifests = {own}};
    if (found.digest != own) {
        image.manifests.push_back(found.digest);
    }
    return image;
}

// Before anything of the image is believed but its digests.
Status expect_allowed(RegistrySession const& session, RegistryClient& client,
                      FoundManifest const& found, store::Reference const& reference) {
    auto const policy = OBLEA_TRY(session.signature_policy());
    return with_context(expect_accepted(policy, policy.find("docker", scopes_of(reference)),
                                        SignaturePlace::of(client), signed_image(found, reference)),
                        [&] { return reference.familiar(); });
}

Status list(store::Store const& store, store::PlannedImage const& image,
            store::LayerOutcomes const& outcomes, std::string const& origin) {
    OBLEA_TRY(store::list_images(store, {image}, outcomes, origin));
    return {};
}

}  // namespace

Result<RemoteImage> inspect_remote(RegistrySession& session, PullRequest const& request) {
    Clients clients = OBLEA_TRY(clients_for(session, request.reference));
    FoundManifest found = OBLEA_TRY(find_manifest(clients, request));
    store::Descriptor const& config = found.manifest.config;
    std::string bytes = OBLEA_TRY(clients.front()->blob_bytes(config.digest, config.bytes));
    return RemoteImage{
        .digest = found.digest, .manifest = std::move(found.bytes), .config = std::move(bytes)};
}

Result<VerifiedImage> verify_remote(RegistrySession& session, PullRequest const& request,
                                    std::optional<PolicyRequirement> const& requirement) {
    Clients clients = OBLEA_TRY(clients_for(session, request.reference));
    FoundManifest const found = OBLEA_TRY(find_manifest(clients, request));
    RegistryClient& client = *clients.front();
    VerifiedImage verified{.digest = found.digest, .signatures = {}};
    SignaturePolicy::Requirements requirements;
    if (requirement.has_value()) {
        requirements = {*requirement};
    } else {
        OBLEA_TRY(expect_allowed(session, client, found, request.reference));
        auto const policy = OBLEA_TRY(session.signature_policy());
        requirements = policy.find("docker", scopes_of(request.reference));
    }
    for (auto const& one : requirements) {
        if (one.kind == PolicyRequirement::Kind::sigstore_signed) {
            auto const accepted =
                OBLEA_TRY(with_context(check_signed(one, SignaturePlace::of(client),
                                                    signed_image(found, request.reference)),
                                       [&] { return request.reference.familiar(); }));
            verified.signatures.insert(verified.signatures.end(), accepted.begin(), accepted.end());
        }
    }
    return verified;
}

Result<std::vector<std::string>> list_tags(RegistrySession& session,
                                           store::Reference const& reference) {
    // Mirrors need not know all tags: the registry itself is asked.
    auto const clients = OBLEA_TRY(clients_for(session, reference));
    return clients.back()->tags();
}

Result<PulledImage> pull_image(store::Store const& store, RegistrySession& session,
                               PullRequest const& request,
                               std::function<void(PullProgress const&)> const& progress) {
    store::Lease const lease = OBLEA_TRY(store.take_lease("pull"));
    Clients clients = OBLEA_TRY(clients_for(session, request.reference));
    FoundManifest const found = OBLEA_TRY(find_manifest(clients, request));
    OBLEA_TRY(expect_allowed(session, *clients.front(), found, request.reference));
    std::string const name = stored_name(request.reference);
    auto const known =
        OBLEA_TRY(find_up_to_date(store, name, base::sha256(std::string_view{found.bytes})));
    if (known.has_value() && request.repair == nullptr) {
        return PulledImage{
            .outcome = PulledImage::Outcome::up_to_date, .id = *known, .digest = found.digest};
    }
    auto const image = OBLEA_TRY(plan_image(*clients.front(), found, request));
    LayerPull pull{store, clients, found.manifest, request, progress};
    auto const outcomes = pull.run(image);
    Status const done = !outcomes.has_value() ? Status{std::unexpected<Error>(outcomes.error())}
                        : request.repair != nullptr ? Status{}
                                                    : list(store, image, *outcomes, name);
    if (!done.has_value()) {
        // What stays behind if this fails too is debris, which gc removes.
        static_cast<void>(store::discard_since(store, lease));
        return std::unexpected<Error>(with_context(done.error(), request.reference.familiar()));
    }
    return PulledImage{
        .outcome = PulledImage::Outcome::downloaded, .id = image.id, .digest = found.digest};
}

}  // namespace oblea::registry
