// SPDX-License-Identifier: MIT
#include "tools/images/save_archive.h"

#include "store/base/buffer_bytes.h"
#include "store/base/bytes.h"
#include "store/base/sys.h"
#include "store/image/tar_encode.h"
#include "store/layer/layout.h"
#include "tools/registry/push_plan.h"

#include <algorithm>
#include <set>

namespace oblea::tools {

namespace sys = base::sys;
using registry::PreparedPush;

namespace {

class ArchiveWriter {
public:
    ArchiveWriter(store::TarSink& sink, std::atomic<bool> const* cancel)
        : sink_(sink), cancel_(cancel), buffer_(base::kLargeBufferBytes) {}

    Status folder(std::string path) {
        store::TarMemberHeader member;
        member.path = std::move(path);
        member.type = store::FileType::directory;
        member.permissions = store::layout::kSharedFolderMode;
        return write(OBLEA_TRY(store::encode_tar_header(member)));
    }

    Status file(std::string path, std::string_view text) {
        OBLEA_TRY(header(std::move(path), text.size()));
        OBLEA_TRY(write(text));
        return pad(text.size());
    }

    Status blob(store::Digest const& digest, std::string_view text) {
        return written_.insert(digest.hex()).second ? file(blob_path(digest), text) : Status{};
    }

    Status blob(registry::PreparedLayer const& layer) {
        if (!written_.insert(layer.digest.hex()).second) {
            return {};
        }
        OBLEA_TRY(header(blob_path(layer.digest), layer.bytes));
        for (std::uint64_t offset = 0; offset < layer.bytes;) {
            auto const wanted = static_cast<std::size_t>(
                std::min<std::uint64_t>(layer.bytes - offset, base::kLargeBufferBytes));
            auto const piece = base::MutableBytes{buffer_}.first(wanted);
            std::size_t const count = OBLEA_TRY(sys::pread_full(layer.file->get(), piece, offset));
            if (count < wanted) {
                return fail(Errno::eio, "", "blob " + layer.digest.to_string() + " is too short");
            }
            OBLEA_TRY(write(base::text_of(piece)));
            offset += count;
        }
        return pad(layer.bytes);
    }

    Status finish() { return write(store::tar_end()); }

private:
    static std::string blob_path(store::Digest const& digest) {
        return "blobs/sha256/" + digest.hex();
    }

    Status header(std::string path, std::uint64_t bytes) {
        store::TarMemberHeader member;
        member.path = std::move(path);
        member.permissions = store::layout::kSharedFileMode;
        member.size = bytes;
        return write(OBLEA_TRY(store::encode_tar_header(member)));
    }

    Status pad(std::uint64_t bytes) { return write(std::string(store::tar_padding(bytes), '\0')); }

    Status write(std::string_view text) {
        if (cancel_ != nullptr && *cancel_) {
            return fail(Errno::ecanceled, "", "interrupted");
        }
        return sink_.write(base::bytes_of(text));
    }

    store::TarSink& sink_;
    std::atomic<bool> const* cancel_;
    base::Bytes buffer_;
    std::set<std::string> written_;
};

SavedBlobs describe(SavedImage const& saved, PreparedPush const& prepared) {
    SavedBlobs blobs{.manifest_type = prepared.media_type,
                     .manifest = base::sha256(std::string_view{prepared.manifest}),
                     .manifest_bytes = prepared.manifest.size(),
                     .config = prepared.config_digest,
                     .layers = {},
                     .names = saved.names};
    for (auto const& layer : prepared.layers) {
        blobs.layers.push_back(layer.digest);
    }
    return blobs;
}

// An image that came without a manifest has plain tars, which are written as they are.
registry::PrepareOptions options_for(store::Image const& image, std::atomic<bool> const* cancel) {
    registry::PrepareOptions options;
    if (!image.manifest.has_value()) {
        options.compression = store::Compression::none;
    }
    options.cancel = cancel;
    return options;
}

}  // namespace

Result<SaveReport> save_archive(store::Store const& store, std::span<SavedImage const> images,
                                store::TarSink& sink, std::atomic<bool> const* cancel) {
    SaveReport report;
    std::vector<PreparedPush> prepared;
    std::vector<SavedBlobs> blobs;
    for (auto const& saved : images) {
        prepared.push_back(OBLEA_TRY(
            registry::prepare_push(store, saved.image, options_for(saved.image, cancel))));
        blobs.push_back(describe(saved, prepared.back()));
        if (saved.image.manifest.has_value() &&
            prepared.back().manifest_origin == registry::PushPlan::Manifest::made_anew) {
            report.changed.push_back(saved.image.id);
        }
    }
    ArchiveWriter archive{sink, cancel};
    OBLEA_TRY(archive.file("oci-layout", R"({"imageLayoutVersion":"1.0.0"})"));
    OBLEA_TRY(archive.file("index.json", encode_layout_index(blobs)));
    OBLEA_TRY(archive.file("manifest.json", encode_docker_manifest(blobs)));
    OBLEA_TRY(archive.file("repositories", encode_repositories(blobs)));
    OBLEA_TRY(archive.folder("blobs"));
    OBLEA_TRY(archive.folder("blobs/sha256"));
    for (std::size_t i = 0; i < prepared.size(); ++i) {
        OBLEA_TRY(archive.blob(blobs[i].manifest, prepared[i].manifest));
        OBLEA_TRY(archive.blob(prepared[i].config_digest, prepared[i].config));
    }
    for (auto const& image : prepared) {
        for (auto const& layer : image.layers) {
            OBLEA_TRY(archive.blob(layer));
        }
    }
    OBLEA_TRY(archive.finish());
    return report;
}

}  // namespace oblea::tools
