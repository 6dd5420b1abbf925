// SPDX-License-Identifier: MIT
#include "store/layer/import_layer.h"

#include "store/base/buffer_bytes.h"
#include "store/base/sys.h"
#include "store/index/index.h"
#include "store/index/layer_tree.h"
#include "store/layer/append_file.h"
#include "store/layer/content_writer.h"
#include "store/layer/layout.h"
#include "store/layer/read_ahead.h"
#include "store/layer/recipe.h"
#include "store/layer/staging.h"
#include "store/layer/tar_hash.h"
#include "store/layer/tar_reader.h"
#include "store/publish.h"
#include "store/sync.h"

#include <algorithm>

namespace oblea::store {

namespace {

namespace sys = base::sys;
using base::ByteView;

// Each stage reads into a ring of its own, so that a layer in flight takes at most
// 4 * (256 + 512) KiB for the rings (and with small frames of zstd 4 batches of them, mostly of
// some 1.5 MiB each), beside what parser, pack and recipe buffer (below 2 MiB), one small content,
// and the tree of its entries.
constexpr std::size_t kTarChunkBytes = 512U << 10U;

// A small layer of zeros may well be compressed by more than LayerLimits::ratio.
constexpr std::uint64_t kRatioFromBytes = std::uint64_t{64} << 20U;

std::unexpected<Error> broken_claim(std::string detail) {
    return fail(Errno::ebadmsg, "", std::move(detail));
}

// What comes in as a stream: its digest and length, and a copy where one is wanted.
class Intake final : public base::ByteSource {
public:
    // The digest of a plain layer is that of its tar, which is not taken here.
    Intake(base::ByteSource& stream, Compression compression, LayerClaims const& claims,
           LayerImportOptions const& options)
        : stream_(stream), claims_(claims), progress_(options.progress_bytes) {
        if (compression != Compression::none) {
            hash_.emplace();
        }
    }

    void keep(base::UniqueFd file, Writeback& writeback) {
        blob_.emplace(std::move(file), &writeback);
    }
    [[nodiscard]] bool kept() const { return blob_.has_value(); }
    // The stream is a file that is kept.
    void keep_stream(base::UniqueFd file, Writeback& writeback) {
        stream_file_.emplace(std::move(file), SteadyWriteback{&writeback});
    }
    // How much has come so far; from any thread.
    [[nodiscard]] std::uint64_t bytes() const { return bytes_; }

    Result<std::size_t> read(base::MutableBytes buffer) override {
        std::size_t const count = OBLEA_TRY(stream_.read(buffer));
        ByteView const passed = buffer.first(count);
        bytes_ += count;
        if (claims_.blob_bytes.has_value() && bytes_ > *claims_.blob_bytes) {
            return broken_claim("the layer is longer than the " +
                                std::to_string(*claims_.blob_bytes) + " bytes that its image says");
        }
        if (hash_.has_value()) {
            hash_->update(passed);
        }
        if (blob_.has_value()) {
            OBLEA_TRY(blob_->append(passed));
        }
        if (stream_file_.has_value()) {
            stream_file_->second.has_grown(stream_file_->first.get(), bytes_);
        }
        if (progress_ != nullptr) {
            progress_->store(bytes_, std::memory_order_relaxed);
        }
        return count;
    }

    // After the end of the stream: its copy is complete. The digest, where it is taken here.
    Result<std::optional<Digest>> finish() {
        if (blob_.has_value()) {
            OBLEA_TRY(blob_->flush());
        }
        return hash_.has_value() ? std::optional{hash_->finish()} : std::nullopt;
    }

private:
    base::ByteSource& stream_;
    LayerClaims const& claims_;
    std::atomic<std::uint64_t>* progress_;
    std::atomic<std::uint64_t> bytes_ = 0;
    std::optional<base::Sha256> hash_;
    std::optional<AppendFile> blob_;
    std::optional<std::pair<base::UniqueFd, SteadyWriteback>> stream_file_;
};

// Ends what a decompressor makes of next to nothing.
class BoundedSource final : public base::ByteSource {
public:
    BoundedSource(base::ByteSource& plain, Intake const& intake, LayerLimits const& limits)
        : plain_(plain), intake_(intake), limits_(limits) {}

    Result<std::size_t> read(base::MutableBytes buffer) override {
        std::size_t const count = OBLEA_TRY(plain_.read(buffer));
        bytes_ += count;
        if (bytes_ >= kRatioFromBytes) {
            OBLEA_TRY(
                with_context(expect_within(limits_, "ratio",
                                           bytes_ / std::max<std::uint64_t>(intake_.bytes(), 1)),
                             [] { return "the compressed layer"; }));
        }
        return count;
    }

private:
    base::ByteSource& plain_;
    Intake const& intake_;
    LayerLimits const& limits_;
    std::uint64_t bytes_ = 0;
};

Status verify(ImportedLayer const& layer, LayerClaims const& claims) {
    if (claims.blob_bytes.has_value() && layer.blob_bytes != *claims.blob_bytes) {
        return broken_claim("the layer has " + std::to_string(layer.blob_bytes) +
                            " bytes, and its image says " + std::to_string(*claims.blob_bytes));
    }
    if (claims.blob.has_value() && layer.blob != *claims.blob) {
        return broken_claim("the layer's digest is " + layer.blob.to_string() +
                            ", and its image says " + claims.blob->to_string());
    }
    if (claims.diff_id.has_value() && layer.diff_id != *claims.diff_id) {
        return broken_claim("the digest of the layer's tar is " + layer.diff_id.to_string() +
                            ", and its image says " + claims.diff_id->to_string());
    }
    return {};
}

// The tar, split into tree, pack, objects and recipe.
class LayerSplitter {
public:
    LayerSplitter(LayerStaging& staging, AppendFile pack, base::UniqueFd recipe,
                  LayerImportOptions const& options)
        : options_(options), recipe_(std::move(recipe)),
          contents_(staging, std::move(pack), recipe_, options.object_threshold_bytes) {}

    Status run(TarHash& bytes) {
        TarReader tar{bytes, recipe_};
        for (;;) {
            auto member = OBLEA_TRY(tar.next());
            if (!member.has_value()) {
                break;
            }
            OBLEA_TRY(with_context(expect_bounded(*member, tar.offset()),
                                   [&] { return member->entry.path.string(); }));
            OBLEA_TRY(take(tar, bytes, std::move(*member)));
        }
        tar_bytes_ = tar.offset();
        return contents_.flush();
    }

    // What was left out behind the end of the tar.
    Status append_zeros(std::uint64_t bytes) {
        tar_bytes_ += bytes;
        return recipe_.literal(base::Bytes(static_cast<std::size_t>(bytes)));
    }

    // Writes recipe and index, once the diff ID is known.
    Status finish(LayerStaging const& staging, Digest const& diff_id) {
        OBLEA_TRY(recipe_.finish(diff_id));
        base::Bytes bytes = OBLEA_TRY(tree_.finish(diff_id, recipe_.objects()));
        Index const index = OBLEA_TRY(Index::from_bytes(std::move(bytes), "the layer's index"));
        OBLEA_TRY(index.check());
        base::UniqueFd const file = OBLEA_TRY(staging.create_file("index"));
        return sys::pwrite_all(file.get(), index.bytes(), 0);
    }

    void report(ImportedLayer& layer) const {
        layer.entries = entries_;
        layer.tar_bytes = tar_bytes_;
        layer.content_bytes = tree_.content_bytes();
    }

private:
    // Before anything of the member is stored.
    Status expect_bounded(TarMember const& member, std::uint64_t tar_bytes) const {
        LayerLimits const& limits = options_.limits;
        LayerEntry const& entry = member.entry;
        std::string const& path = entry.path.string();
        auto const depth = static_cast<std::uint64_t>(std::ranges::count(path, '/')) + 1;
        std::uint64_t xattr_bytes = 0;
        for (auto const& [name, value] : entry.xattrs) {
            xattr_bytes += name.size() + value.size();
        }
        OBLEA_TRY(expect_within(limits, "entries", entries_ + 1));
        OBLEA_TRY(expect_within(limits, "depth", depth));
        OBLEA_TRY(expect_within(limits, "xattr_bytes", xattr_bytes));
        OBLEA_TRY(expect_within(limits, "file_bytes", entry.attr.size));
        return expect_within(limits, "layer_bytes", tar_bytes + member.blob_bytes);
    }

    Status take(TarReader& tar, TarHash& bytes, TarMember member) {
        bool const has_content = member.entry.kind == LayerEntry::Kind::inode &&
                                 member.entry.attr.type == FileType::regular;
        if (has_content) {
            member.entry.content = OBLEA_TRY(contents_.take(tar, bytes, member));
        }
        ++entries_;
        return with_context(tree_.add(std::move(member.entry)), [&] {
            return "member at byte " + std::to_string(member.offset) + " of the tar";
        });
    }

    LayerImportOptions const& options_;
    RecipeWriter recipe_;
    ContentWriter contents_;
    LayerTree tree_;
    std::uint64_t entries_ = 0;
    std::uint64_t tar_bytes_ = 0;
};

bool wants_blob(LayerImportOptions const& options, Compression compression) {
    switch (options.keep_blob) {
    case LayerImportOptions::KeepBlob::no:
        return false;
    case LayerImportOptions::KeepBlob::compressed_only:
        return compression != Compression::none;
    case LayerImportOptions::KeepBlob::always:
        return true;
    }
    return false;
}

Result<Compression> recognise(PeekedSource& stream) {
    ByteView const head = OBLEA_TRY(stream.peek());
    Compression const compression = detect_compression(head);
    std::string_view const foreign = foreign_compression(head);
    if (compression == Compression::none && !foreign.empty()) {
        return fail(Errno::einval, "",
                    "the layer is compressed with " + std::string{foreign} +
                        "; layers may be compressed with gzip or zstd, or not at all");
    }
    return compression;
}

// Runs the pipeline: read, hash and copy | decompress | hash the tar, parse and write. Every stage
// but the last has a thread of its own; destruction in reverse order stops them from the end.
Status stream_layer(Intake& intake, LayerSplitter& splitter, LayerClaims const& claims,
                    LayerLimits const& limits, ImportedLayer& layer) {
    Threading const threading = threading_by_environment();
    auto const stream = make_read_ahead(intake, {.threading = threading});
    if (layer.compression == Compression::none) {
        TarHash tar{*stream};
        OBLEA_TRY(splitter.run(tar));
        layer.diff_id = tar.digest();
    } else {
        auto const plain = make_decompressor(layer.compression, *stream, threading);
        BoundedSource bounded{*plain, intake, limits};
        auto const chunks =
            make_read_ahead(bounded, {.threading = threading, .chunk_bytes = kTarChunkBytes});
        TarHash tar{*chunks};
        OBLEA_TRY(splitter.run(tar));
        layer.diff_id = tar.digest();
        if (claims.diff_id.has_value() && layer.diff_id != *claims.diff_id) {
            if (auto const zeros = tar.missing_zeros(*claims.diff_id)) {
                OBLEA_TRY(splitter.append_zeros(*zeros));
                layer.diff_id = *claims.diff_id;
            }
        }
    }
    auto const blob = OBLEA_TRY(intake.finish());
    layer.blob = blob.value_or(layer.diff_id);
    layer.blob_bytes = intake.bytes();
    return {};
}

}  // namespace

Result<ImportedLayer> stage_layer(int root, ImportStaging& import, base::ByteSource& stream,
                                  LayerClaims const& claims, LayerImportOptions const& options) {
    LayerStaging staging = OBLEA_TRY(import.begin_layer());
    ImportedLayer layer;
    PeekedSource peeked{stream};
    layer.compression = OBLEA_TRY(recognise(peeked));

    Intake intake{peeked, layer.compression, claims, options};
    bool const wanted = wants_blob(options, layer.compression);
    bool const have_blob = wanted && claims.blob.has_value() &&
                           !import.distrust().blobs.contains(*claims.blob) &&
                           OBLEA_TRY(refresh_published(root, layout::blob(*claims.blob).c_str()));
    bool const linked = wanted && !have_blob && !options.stream_file.empty() &&
                        OBLEA_TRY(staging.link_blob(options.stream_file.c_str()));
    if (linked) {
        intake.keep_stream(
            OBLEA_TRY(sys::openat(root, options.stream_file.c_str(), O_RDONLY | O_NOFOLLOW)),
            staging.writeback());
    } else if (wanted && !have_blob) {
        intake.keep(OBLEA_TRY(staging.create_blob()), staging.writeback());
    }
    base::UniqueFd pack_file = OBLEA_TRY(staging.create_file("pack"));
    AppendFile pack{std::move(pack_file), &staging.writeback()};
    base::UniqueFd recipe = OBLEA_TRY(staging.create_file("recipe"));
    LayerSplitter splitter{staging, std::move(pack), std::move(recipe), options};
    OBLEA_TRY(stream_layer(intake, splitter, claims, options.limits, layer));
    splitter.report(layer);
    if (layer.tar_bytes == 0 && !claims.diff_id.has_value()) {
        return fail(Errno::einval, "", "the layer is empty: no tar");
    }
    OBLEA_TRY(verify(layer, claims));
    OBLEA_TRY(splitter.finish(staging, layer.diff_id));
    staging.finish(layer.diff_id, linked || intake.kept() ? &layer.blob : nullptr);
    if (wanted) {
        layer.blob_state = ImportedLayer::Blob::kept;
    }
    return layer;
}

Result<ImportedLayer> import_layer(int root, base::ByteSource& stream, LayerClaims const& claims,
                                   LayerImportOptions const& options) {
    auto const staging = OBLEA_TRY(ImportStaging::create(root));
    ImportedLayer layer = OBLEA_TRY(stage_layer(root, *staging, stream, claims, options));
    OBLEA_TRY(staging->publish(sync_threads()));
    return layer;
}

}  // namespace oblea::store
