// SPDX-License-Identifier: MIT
#include "tools/registry/push_image.h"

#include "tools/registry/client/push_blob.h"
#include "tools/registry/push_plan.h"

#include <algorithm>

namespace oblea::registry {

namespace {

// A descriptor read from an offset on, kept open as long as the source.
class SharedFileSource final : public base::ByteSource {
public:
    SharedFileSource(std::shared_ptr<base::UniqueFd> file, std::uint64_t offset,
                     std::uint64_t bytes)
        : file_(std::move(file)), range_(file_->get(), offset, bytes - offset) {}
    Result<std::size_t> read(base::MutableBytes buffer) override { return range_.read(buffer); }

private:
    std::shared_ptr<base::UniqueFd> file_;
    base::FileRangeSource range_;
};

// Layers and config, each blob once. `push` and `listener` are borrowed.
std::vector<BlobTransfer> plan_transfers(PreparedPush const& push, store::Images const& images,
                                         store::Reference const& target,
                                         TransferListener const& listener) {
    std::vector<BlobTransfer> transfers;
    for (auto const& layer : push.layers) {
        bool const seen = std::ranges::any_of(transfers, [&](BlobTransfer const& transfer) {
            return transfer.blob.digest == layer.digest;
        });
        if (seen) {
            continue;  // the same layer twice in an image
        }
        std::string id = layer.diff_id.short_hex();
        if (listener.event) {
            listener.event(id, "Preparing");
        }
        BlobUpload blob{.digest = layer.digest,
                        .bytes = layer.bytes,
                        .open = [file = layer.file, bytes = layer.bytes](std::uint64_t offset)
                            -> Result<std::unique_ptr<base::ByteSource>> {
                            return std::make_unique<SharedFileSource>(file, offset, bytes);
                        },
                        .mount_from = mount_candidates(images, target, layer.digest)};
        transfers.push_back({.blob = std::move(blob), .id = std::move(id)});
    }
    BlobUpload config{
        .digest = push.config_digest,
        .bytes = push.config.size(),
        .open = [&push](std::uint64_t offset) -> Result<std::unique_ptr<base::ByteSource>> {
            auto const text = std::string_view{push.config}.substr(offset);
            return std::make_unique<base::MemorySource>(base::bytes_of(text));
        }};
    transfers.push_back({.blob = std::move(config), .id = {}});
    return transfers;
}

}  // namespace

Result<PushedImage> push_image(store::Store const& store, RegistrySession& session,
                               PushRequest const& request, TransferListener const& listener) {
    store::Lease const lease = OBLEA_TRY(store.take_lease("push"));
    store::Images const images = OBLEA_TRY(store.images());
    store::Image const* const image = images.find_name(request.target.canonical());
    if (image == nullptr) {
        return fail(Errno::enoent, "",
                    "An image does not exist locally with the tag: " + request.target.familiar());
    }
    auto const push = OBLEA_TRY(prepare_push(
        store, *image, {.compression = request.compression, .cancel = request.cancel}));
    auto const endpoints = OBLEA_TRY(session.endpoints(request.target));
    // Mirrors are for reading.
    auto const connection = session.connection(
        endpoints.back(), request.target.familiar_repository(), ClientOptions::Access::push);
    auto const put = [&](BlobUpload const& blob) { return push_blob(*connection, blob); };
    OBLEA_TRY(transfer_blobs(plan_transfers(push, images, request.target, listener), {.put = put},
                             listener));
    OBLEA_TRY(push_manifest(*connection, request.target.tag.value_or("latest"), push.manifest,
                            push.media_type));
    return PushedImage{.digest = base::sha256(std::string_view{push.manifest}),
                       .manifest_bytes = push.manifest.size(),
                       .digest_changed = image->manifest.has_value() &&
                                         push.manifest_origin == PushPlan::Manifest::made_anew};
}

}  // namespace oblea::registry
