// SPDX-License-Identifier: MIT
#include "store/base/buffer_bytes.h"
#include "store/base/limits.h"
#include "store/base/sys.h"
#include "store/image/manifest.h"
#include "store/image/reference.h"
#include "store/layer/decompress.h"
#include "store/layer/hashing_source.h"
#include "store/layer/layout.h"
#include "store/layer/plain_stream.h"
#include "tools/registry/copy/layout_documents.h"
#include "tools/registry/copy/layout_target.h"
#include "tools/registry/copy/new_archive.h"
#include "tools/registry/copy/verified_blob.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <map>
#include <utility>

namespace oblea::registry {

namespace {

class OciArchiveTarget final : public CopyTarget {
public:
    explicit OciArchiveTarget(NewArchive archive) : archive_(std::move(archive)) {}

    Status begin() {
        OBLEA_TRY(archive_.document(store::layout::kOciLayout, kLayoutVersion));
        OBLEA_TRY(archive_.folder("blobs"));
        return archive_.folder(store::layout::kBlobs);
    }

    Status expect(std::span<ReferredBlob const> blobs) override {
        for (auto const& blob : blobs) {
            if (!offsets_.contains(blob.digest.hex())) {
                std::uint64_t const offset =
                    OBLEA_TRY(archive_.reserve(store::layout::blob(blob.digest), blob.bytes));
                offsets_[blob.digest.hex()] = {.offset = offset};
            }
        }
        return {};
    }

    Result<PushedBlob> put_blob(BlobUpload const& blob) override {
        Place& place = offsets_.at(blob.digest.hex());
        if (place.written) {
            return PushedBlob{.outcome = PushedBlob::Outcome::present};
        }
        std::uint64_t at = place.offset;
        auto const take = [&](base::ByteView piece) {
            std::uint64_t const offset = std::exchange(at, at + piece.size());
            return archive_.write(offset, piece);
        };
        OBLEA_TRY(read_verified(blob, take));
        place.written = true;
        return PushedBlob{.outcome = PushedBlob::Outcome::uploaded};
    }

    Status put_manifest(RemoteManifest const& manifest,
                        std::optional<CopyName> const& name) override {
        bool const fresh =
            offsets_.try_emplace(manifest.digest.hex(), Place{.written = true}).second;
        if (fresh) {
            OBLEA_TRY(archive_.document(store::layout::blob(manifest.digest), manifest.bytes));
        }
        if (name.has_value()) {
            entries_.push_back(layout_entry(manifest, *name));
        }
        return {};
    }

    Status finish() override {
        std::string const index = OBLEA_TRY(with_entries("", entries_));
        OBLEA_TRY(archive_.document(store::layout::kOciIndex, index));
        return archive_.finish();
    }

private:
    struct Place {
        std::uint64_t offset = 0;
        bool written = false;  // by the thread that has the blob, and read by later copies
    };
    NewArchive archive_;
    std::map<std::string, Place> offsets_;  // by digest; never changed while blobs are put
    std::vector<LayoutEntry> entries_;
};

class DockerArchiveTarget final : public CopyTarget {
public:
    explicit DockerArchiveTarget(NewArchive archive) : archive_(std::move(archive)) {}

    // Where a layer ends is known when it was decompressed.
    [[nodiscard]] std::size_t blobs_at_once() const override { return 1; }
    [[nodiscard]] bool keeps_signatures() const override { return false; }

    Result<PushedBlob> put_blob(BlobUpload const& blob) override {
        return with_context(put(blob), [&] { return "blob " + blob.digest.short_hex(); });
    }

    Status put_manifest(RemoteManifest const& manifest,
                        std::optional<CopyName> const& name) override {
        std::string const what = manifest.digest.to_string();
        auto const parsed =
            OBLEA_TRY(store::parse_manifest(manifest.bytes, manifest.media_type, what));
        auto const* const image = std::get_if<store::Manifest>(&parsed);
        if (image == nullptr) {
            return fail(Errno::einval, "",
                        "a docker archive holds images of one platform; choose it by --platform");
        }
        return add_image(*image, name);
    }

    Status finish() override {
        OBLEA_TRY(archive_.document("manifest.json", images_.dump()));
        return archive_.finish();
    }

private:
    struct Member {
        std::string name;
        std::uint64_t offset = 0;
        std::uint64_t bytes = 0;
        base::Digest digest{};
    };

    Result<PushedBlob> put(BlobUpload const& blob) {
        if (members_.contains(blob.digest.hex())) {
            return PushedBlob{.outcome = PushedBlob::Outcome::present};
        }
        auto const source = OBLEA_TRY(VerifiedBlob::open(blob));
        store::PeekedSource peeked{*source};
        auto const kind = store::detect_compression(OBLEA_TRY(peeked.peek()));
        auto const plain = store::make_plain_stream(peeked, kind);
        store::HashingSource contents{*plain};
        std::uint64_t at = archive_.begin_open();
        base::Bytes buffer(base::kBufferBytes);
        Member member{.name = {}, .offset = at, .bytes = 0};
        for (;;) {
            std::size_t const count = OBLEA_TRY(contents.read(buffer));
            if (count == 0) {
                break;
            }
            OBLEA_TRY(archive_.write(at, base::ByteView{buffer}.first(count)));
            at += count;
        }
        OBLEA_TRY(source->expect_whole());
        member.bytes = contents.bytes();
        member.digest = contents.finish();
        member.name = store::layout::blob(member.digest);
        OBLEA_TRY(archive_.end_open(member.name, member.bytes));
        members_[blob.digest.hex()] = member;
        return PushedBlob{.outcome = PushedBlob::Outcome::uploaded};
    }

    Status add_image(store::Manifest const& image, std::optional<CopyName> const& name) {
        Member const& config = members_.at(image.config.digest.hex());
        auto const size = static_cast<std::size_t>(
            std::min<std::uint64_t>(config.bytes, limits::kConfigBytesMax));
        base::Bytes text(size);
        std::size_t const count =
            OBLEA_TRY(base::sys::pread_full(archive_.fd(), text, config.offset));
        auto const parsed = OBLEA_TRY(store::parse_config(base::text_of(text).substr(0, count),
                                                          "config " + config.digest.to_string()));
        nlohmann::ordered_json layers = nlohmann::ordered_json::array();
        for (std::size_t i = 0; i < image.layers.size(); ++i) {
            auto const member = members_.find(image.layers[i].digest.hex());
            if (member == members_.end()) {
                return fail(Errno::eopnotsupp, "",
                            "the layer " + image.layers[i].digest.to_string() +
                                " is not distributed");
            }
            if (i >= parsed.diff_ids.size() || parsed.diff_ids[i] != member->second.digest) {
                return fail(Errno::ebadmsg, "",
                            "the layer " + image.layers[i].digest.to_string() +
                                " is not the one of the config");
            }
            layers.push_back(member->second.name);
        }
        nlohmann::ordered_json names = nlohmann::ordered_json::array();
        if (name.has_value() && name->full.has_value()) {
            names.push_back(*name->full);
        }
        images_.push_back({{"Config", config.name},
                           {"RepoTags", names.empty() ? nlohmann::ordered_json() : names},
                           {"Layers", std::move(layers)}});
        return {};
    }

    NewArchive archive_;
    std::map<std::string, Member> members_;  // by the digest of the blob
    nlohmann::ordered_json images_ = nlohmann::ordered_json::array();
};

}  // namespace

Result<std::unique_ptr<CopyTarget>> open_oci_archive_target(std::string const& path) {
    auto archive = OBLEA_TRY(NewArchive::create(path, NewArchive::Existing::replace));
    auto target = std::make_unique<OciArchiveTarget>(std::move(archive));
    OBLEA_TRY(target->begin());
    return std::unique_ptr<CopyTarget>{std::move(target)};
}

Result<std::unique_ptr<CopyTarget>> open_docker_archive_target(std::string const& path) {
    auto archive = OBLEA_TRY(NewArchive::create(path, NewArchive::Existing::refuse));
    return std::make_unique<DockerArchiveTarget>(std::move(archive));
}

}  // namespace oblea::registry
