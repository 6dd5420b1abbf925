// SPDX-License-Identifier: MIT
#include "store/base/buffer_bytes.h"
#include "store/base/sys.h"
#include "store/image/import_plan.h"
#include "store/image/manifest.h"
#include "store/layer/compress.h"
#include "store/layer/hashing_source.h"
#include "tools/registry/copy/layout_source.h"
#include "tools/registry/push_plan.h"

#include <map>

namespace oblea::registry {

namespace {

// A layer as it goes: the archive's bytes where they are compressed, else gzip of them.
Result<PreparedLayer> prepare(base::ByteSource& member, store::PlannedLayer const& layer) {
    auto file = std::make_shared<base::UniqueFd>(OBLEA_TRY(open_unnamed_file()));
    store::PeekedSource peeked{member};
    auto const found = store::detect_compression(OBLEA_TRY(peeked.peek()));
    bool const plain = found == store::Compression::none;
    auto const sink = OBLEA_TRY(store::make_compressor(
        plain ? store::Compression::gzip : store::Compression::none, file->get()));
    store::HashingSource source{peeked};
    base::Bytes buffer(base::kBufferBytes);
    for (;;) {
        std::size_t const count = OBLEA_TRY(source.read(buffer));
        if (count == 0) {
            break;
        }
        OBLEA_TRY(sink->write(base::ByteView{buffer}.first(count)));
    }
    // What is compressed is compared when it is used: only then is its tar seen.
    if (plain && source.finish() != layer.diff_id) {
        return fail(Errno::ebadmsg, "",
                    layer.member + ": its SHA-256 is not the diff ID " + layer.diff_id.to_string());
    }
    auto const made = OBLEA_TRY(sink->finish());
    return PreparedLayer{.diff_id = layer.diff_id,
                         .digest = made.digest,
                         .bytes = made.bytes,
                         .media_type = found == store::Compression::zstd
                                           ? store::media_type::kOciLayerZstd
                                           : store::media_type::kOciLayerGzip,
                         .file = std::move(file)};
}

class DockerArchiveSource final : public CopySource {
public:
    DockerArchiveSource(OpenedFiles files, std::string what)
        : files_(std::move(files)), what_(std::move(what)) {}

    Result<std::vector<std::string>> names() override {
        auto const images = OBLEA_TRY(plan(""));
        std::vector<std::string> names;
        for (auto const& image : images) {
            names.insert(names.end(), image.names.begin(), image.names.end());
        }
        return names;
    }

    Result<RemoteManifest> manifest(std::string const& name) override {
        auto const images = OBLEA_TRY(plan(name));
        if (images.size() != 1) {
            return fail(Errno::enoent, "",
                        what_ + ": several images, of which one has to be named (by @0, @1, ... "
                                "too)");
        }
        auto const& image = images.front();
        std::vector<PreparedLayer> layers;
        for (auto const& layer : image.layers) {
            auto const member = OBLEA_TRY(files_.files->open(layer.member));
            layers.push_back(OBLEA_TRY(with_context(prepare(*member.source, layer),
                                                    [&] { return what_ + ": " + layer.member; })));
        }
        std::string bytes = encode_manifest(image.id, image.config_bytes.size(), layers);
        configs_[image.id.hex()] = image.config_bytes;
        for (auto& layer : layers) {
            layers_[layer.digest.hex()] = std::move(layer);
        }
        auto const digest = base::sha256(std::string_view{bytes});
        return RemoteManifest{.bytes = std::move(bytes),
                              .media_type = store::media_type::kOciManifest,
                              .digest = digest};
    }

    Result<std::unique_ptr<base::ByteSource>> blob(ReferredBlob const& blob,
                                                   std::uint64_t offset) override {
        auto const config = configs_.find(blob.digest.hex());
        if (config != configs_.end()) {
            auto const rest = std::string_view{config->second}.substr(offset);
            return std::make_unique<base::MemorySource>(base::bytes_of(rest));
        }
        auto const layer = layers_.find(blob.digest.hex());
        if (layer == layers_.end()) {
            return fail(Errno::enoent, "", what_ + ": no blob " + blob.digest.to_string());
        }
        return std::make_unique<base::FileRangeSource>(layer->second.file->get(), offset,
                                                       blob.bytes - offset);
    }

    [[nodiscard]] std::optional<std::string> full_name(std::string const& name) const override {
        auto const images = plan(name);
        bool const one =
            images.has_value() && images->size() == 1 && !images->front().names.empty();
        return one ? std::optional{images->front().names.front()} : std::nullopt;
    }

private:
    [[nodiscard]] Result<std::vector<store::PlannedImage>> plan(std::string const& name) const {
        store::ImportSelection selection;
        if (!name.empty()) {
            selection.selected = name;
        }
        return with_context(
            store::plan_images(*files_.files, store::ImageFormat::docker, selection),
            [&] { return what_; });
    }

    OpenedFiles files_;
    std::string what_;
    std::map<std::string, std::string> configs_;   // by digest
    std::map<std::string, PreparedLayer> layers_;  // by digest
};

}  // namespace

Result<std::unique_ptr<CopySource>> open_docker_archive_source(OpenedFiles files,
                                                               std::string what) {
    auto source = std::make_unique<DockerArchiveSource>(std::move(files), std::move(what));
    OBLEA_TRY(source->names());  // whether it is one
    return std::unique_ptr<CopySource>{std::move(source)};
}

}  // namespace oblea::registry
