// SPDX-License-Identifier: MIT
#include "tools/registry/push_image.h"

#include "store/image/progress_board.h"
#include "tools/registry/client/push_blob.h"
#include "tools/registry/push_plan.h"

#include <algorithm>
#include <mutex>
#include <thread>

namespace oblea::registry {

namespace {

constexpr std::size_t kUploadsAtOnce = 5;

struct Upload {
    BlobUpload blob;
    std::string id;  // of the layer, for people; empty for the config
    store::ProgressBoard::Slot* slot = nullptr;
};

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

class Uploads {
public:
    Uploads(Connection& connection, PushListener const& listener)
        : connection_(connection), listener_(listener), board_(listener.progress) {}

    void add_layer(PreparedLayer const& layer, std::vector<std::string> mount_from) {
        std::string id = layer.diff_id.short_hex();
        bool const seen = std::ranges::any_of(
            uploads_, [&](Upload const& upload) { return upload.blob.digest == layer.digest; });
        if (seen) {
            return;  // the same layer twice in an image
        }
        tell(id, "Preparing");
        auto& slot = board_.add(id, layer.bytes);
        BlobUpload blob{.digest = layer.digest,
                        .bytes = layer.bytes,
                        .open = [file = layer.file, bytes = layer.bytes](std::uint64_t offset)
                            -> Result<std::unique_ptr<base::ByteSource>> {
                            return std::make_unique<SharedFileSource>(file, offset, bytes);
                        },
                        .mount_from = std::move(mount_from),
                        .progress_bytes = &slot.bytes};
        uploads_.push_back({.blob = std::move(blob), .id = std::move(id), .slot = &slot});
    }

    void add_config(PreparedPush const& push) {
        BlobUpload blob{
            .digest = push.config_digest,
            .bytes = push.config.size(),
            .open = [&push](std::uint64_t offset) -> Result<std::unique_ptr<base::ByteSource>> {
                auto const text = std::string_view{push.config}.substr(offset);
                return std::make_unique<base::MemorySource>(base::bytes_of(text));
            }};
        uploads_.push_back({.blob = std::move(blob), .id = {}});
    }

    // All, side by side. The first failure stops those that have not begun.
    Status run() {
        std::vector<std::jthread> helpers;
        for (std::size_t i = 1; i < std::min(kUploadsAtOnce, uploads_.size()); ++i) {
            helpers.emplace_back([this] { work(); });
        }
        work();
        helpers.clear();  // joined
        if (failure_.has_value()) {
            return std::unexpected<Error>(*failure_);
        }
        return {};
    }

private:
    void work() {
        for (std::size_t i = next_++; i < uploads_.size(); i = next_++) {
            Upload& upload = uploads_[i];
            if (upload.slot != nullptr) {
                upload.slot->state = store::ImportProgress::State::reading;
            }
            auto const pushed = push_blob(connection_, upload.blob);
            if (!pushed.has_value()) {
                next_ = uploads_.size();
                std::lock_guard const lock{mutex_};
                if (!failure_.has_value()) {
                    failure_ = pushed.error();
                }
                return;
            }
            if (upload.slot != nullptr) {
                upload.slot->state = pushed->outcome == PushedBlob::Outcome::uploaded
                                         ? store::ImportProgress::State::done
                                         : store::ImportProgress::State::already_there;
                tell(upload.id, words_for(*pushed, "Pushed"));
            }
        }
    }

    void tell(std::string const& id, std::string const& state) {
        if (listener_.event) {
            std::lock_guard const lock{mutex_};
            listener_.event(id, state);
        }
    }

    Connection& connection_;
    PushListener const& listener_;
    store::ProgressBoard board_;
    std::vector<Upload> uploads_;
    std::atomic<std::size_t> next_{0};
    std::mutex mutex_;
    std::optional<Error> failure_;
};

}  // namespace

Result<PushedImage> push_image(store::Store const& store, RegistrySession& session,
                               PushRequest const& request, PushListener const& listener) {
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
    {
        Uploads uploads{*connection, listener};
        for (auto const& layer : push.layers) {
            uploads.add_layer(layer, mount_candidates(images, request.target, layer.digest));
        }
        uploads.add_config(push);
        OBLEA_TRY(uploads.run());
    }
    OBLEA_TRY(push_manifest(*connection, request.target.tag.value_or("latest"), push.manifest,
                            push.media_type));
    return PushedImage{.digest = base::sha256(std::string_view{push.manifest}),
                       .manifest_bytes = push.manifest.size(),
                       .digest_changed = image->manifest.has_value() &&
                                         push.manifest_origin == PushPlan::Manifest::made_anew};
}

}  // namespace oblea::registry
