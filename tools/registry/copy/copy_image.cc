// SPDX-License-Identifier: MIT
#include "tools/registry/copy/copy_image.h"

#include "store/base/limits.h"
#include "store/image/manifest.h"
#include "tools/registry/copy/verified_blob.h"

#include <algorithm>
#include <set>

namespace oblea::registry {

namespace {

struct Named {
    RemoteManifest manifest;
    std::optional<CopyName> name;
};

// All that belongs to one copy, in the order in which a target may take it.
class Gathering {
public:
    explicit Gathering(CopySource& source) : source_(source) {}

    // What it refers to first, then itself.
    Status add(RemoteManifest manifest, std::optional<CopyName> name, std::size_t depth = 0) {
        std::string const what = manifest.digest.to_string();
        if (depth > limits::kIndexDepthMax) {
            return fail(Errno::e2big, "", what + ": image indexes nested too deeply");
        }
        auto const referred = OBLEA_TRY(parse_referred(manifest.bytes, what));
        for (auto const& child : referred.manifests) {
            if (!manifests_seen_.insert(child.digest.hex()).second) {
                continue;
            }
            auto found = OBLEA_TRY(source_.manifest(child.digest.to_string()));
            OBLEA_TRY(add(std::move(found), std::nullopt, depth + 1));
        }
        for (auto const& blob : referred.blobs) {
            if (blobs_seen_.insert(blob.digest.hex()).second) {
                blobs_.push_back(blob);
            }
        }
        manifests_.push_back({.manifest = std::move(manifest), .name = std::move(name)});
        return {};
    }

    // What cosign has put beside the images.
    Status add_signatures() {
        std::size_t const images = manifests_.size();
        for (std::size_t i = 0; i < images; ++i) {
            std::string const tag = signature_tag(manifests_[i].manifest.digest);
            auto signatures = source_.manifest(tag);
            if (signatures.has_value()) {
                OBLEA_TRY(add(*std::move(signatures), CopyName{.tag = tag, .full = {}}));
            } else if (signatures.error().code != Errno::enoent) {
                return std::unexpected<Error>(signatures.error());
            }
        }
        return {};
    }

    [[nodiscard]] std::vector<ReferredBlob> const& blobs() const { return blobs_; }
    [[nodiscard]] std::vector<Named> const& manifests() const { return manifests_; }

private:
    CopySource& source_;
    std::set<std::string> manifests_seen_;
    std::set<std::string> blobs_seen_;
    std::vector<ReferredBlob> blobs_;
    std::vector<Named> manifests_;
};

Result<RemoteManifest> choose(CopySource& source, RemoteManifest manifest,
                              store::Platform const& platform) {
    for (std::size_t depth = 0; depth <= limits::kIndexDepthMax; ++depth) {
        std::string const what = manifest.digest.to_string();
        auto const parsed =
            OBLEA_TRY(store::parse_manifest(manifest.bytes, manifest.media_type, what));
        auto const* const index = std::get_if<store::ImageIndex>(&parsed);
        if (index == nullptr) {
            return manifest;
        }
        auto const& chosen = *OBLEA_TRY(store::choose_platform(*index, platform, what));
        manifest = OBLEA_TRY(source.manifest(chosen.digest.to_string()));
    }
    return fail(Errno::e2big, "", "image indexes nested too deeply");
}

// A blob, as long as nobody wants the copy to end.
class StoppableSource final : public base::ByteSource {
public:
    StoppableSource(std::unique_ptr<base::ByteSource> source, std::atomic<bool> const* cancel)
        : source_(std::move(source)), cancel_(cancel) {}
    Result<std::size_t> read(base::MutableBytes buffer) override {
        if (cancel_ != nullptr && *cancel_) {
            return fail(Errno::ecanceled, "", "interrupted");
        }
        return source_->read(buffer);
    }

private:
    std::unique_ptr<base::ByteSource> source_;
    std::atomic<bool> const* cancel_;
};

Status transfer(CopySource& source, CopyTarget& target, std::vector<ReferredBlob> const& blobs,
                std::atomic<bool> const* cancel, TransferListener const& listener) {
    auto const open = [&source,
                       cancel](ReferredBlob const& blob,
                               std::uint64_t offset) -> Result<std::unique_ptr<base::ByteSource>> {
        auto opened = OBLEA_TRY(source.blob(blob, offset));
        return std::make_unique<StoppableSource>(std::move(opened), cancel);
    };
    std::vector<BlobTransfer> transfers;
    for (auto const& blob : blobs) {
        BlobUpload upload{
            .digest = blob.digest, .bytes = blob.bytes, .open = [open, blob](std::uint64_t offset) {
                return open(blob, offset);
            }};
        transfers.push_back({.blob = std::move(upload), .id = blob.digest.short_hex()});
    }
    auto const put = [&](BlobUpload const& blob) { return target.put_blob(blob); };
    return transfer_blobs(std::move(transfers),
                          {.at_once = target.blobs_at_once(), .arrived = "Copied", .put = put},
                          listener);
}

SignaturePlace place_of(CopySource& source) {
    auto const blob = [&source](base::Digest const& digest,
                                std::uint64_t bytes) -> Result<std::string> {
        BlobUpload const wanted{
            .digest = digest, .bytes = bytes, .open = [&](std::uint64_t offset) {
                return source.blob({.digest = digest, .bytes = bytes}, offset);
            }};
        std::string text;
        OBLEA_TRY(read_verified(wanted, [&](base::ByteView piece) -> Status {
            text += base::text_of(piece);
            return {};
        }));
        return text;
    };
    return {.manifest = [&source](std::string const& tag) { return source.manifest(tag); },
            .blob = blob};
}

}  // namespace

Result<store::Digest> copy_image(CopySource& source, CopyTarget& target, CopyRequest const& request,
                                 TransferListener const& listener) {
    auto manifest = OBLEA_TRY(source.manifest(request.source));
    std::vector<store::Digest> digests{manifest.digest};
    if (request.platform.has_value()) {
        manifest = OBLEA_TRY(choose(source, std::move(manifest), *request.platform));
        digests.push_back(manifest.digest);
    }
    store::Digest const digest = manifest.digest;
    if (request.allow) {
        OBLEA_TRY(request.allow(place_of(source), digests));
    }
    Gathering all{source};
    OBLEA_TRY(all.add(std::move(manifest), request.target));
    if (target.keeps_signatures()) {
        OBLEA_TRY(all.add_signatures());
    }
    OBLEA_TRY(target.expect(all.blobs()));
    OBLEA_TRY(transfer(source, target, all.blobs(), request.cancel, listener));
    for (auto const& [one, name] : all.manifests()) {
        OBLEA_TRY(target.put_manifest(one, name));
    }
    return digest;
}

}  // namespace oblea::registry
