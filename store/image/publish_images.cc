// SPDX-License-Identifier: MIT
#include "store/image/publish_images.h"

#include "store/base/scope_exit.h"
#include "store/base/sys.h"
#include "store/image/rfc3339.h"
#include "store/layer/file_sink.h"
#include "store/layer/import_layer.h"
#include "store/layer/layout.h"
#include "store/publish.h"
#include "store/sync.h"

#include <fmt/format.h>

#include <unistd.h>

#include <algorithm>
#include <atomic>

namespace oblea::store {

namespace sys = base::sys;

namespace {

Image image_of(PlannedImage const& planned, LayerOutcomes const& outcomes,
               std::string const& origin) {
    Image image;
    image.id = planned.id;
    image.names = planned.names;
    if (planned.manifest_bytes.has_value()) {
        image.manifest = base::sha256(*planned.manifest_bytes);
    }
    for (PlannedLayer const& layer : planned.layers) {
        LayerOutcome const& outcome = outcomes.at(layer.member);
        image.layers.push_back(outcome.layer);
        image.size_bytes += outcome.content_bytes;
    }
    image.created = planned.config.created;
    image.architecture = planned.config.architecture;
    image.os = planned.config.os;
    image.variant = planned.config.variant;
    image.imported = rfc3339(now_seconds());
    image.origin = origin;
    image.parent = planned.parent;
    return image;
}

// Writes blobs/sha256/<diffID>, which an uncompressed layer does not have by itself.
Status write_tar_blob(Store const& store, Digest const& diff_id) {
    std::string const target = layout::blob(diff_id);
    if (OBLEA_TRY(refresh_published(store.root(), target.c_str()))) {
        // Whoever gave it the name may not have synced that yet.
        return sync_paths(store.root(), {layout::kBlobs}, 1);
    }
    static std::atomic<unsigned> counter{0};
    std::string const staged =
        fmt::format("{}/tar.{}.{}", layout::kTmp, ::getpid(), counter.fetch_add(1));
    base::UniqueFd const file = OBLEA_TRY(
        sys::openat(store.root(), staged.c_str(), O_WRONLY | O_CREAT | O_EXCL, mode_t{0600}));
    base::ScopeExit discard{
        [&] { static_cast<void>(sys::unlink_if_exists(store.root(), staged.c_str())); }};
    FileSink sink{file.get()};
    OBLEA_TRY(export_layer(store.root(), diff_id, sink));
    OBLEA_TRY(sys::fsync(file.get()));
    OBLEA_TRY(sys::renameat2(store.root(), staged.c_str(), store.root(), target.c_str()));
    discard.dismiss();
    base::UniqueFd const folder =
        OBLEA_TRY(sys::openat(store.root(), layout::kBlobs, O_RDONLY | O_DIRECTORY));
    return sys::fsync(folder.get());
}

// An image whose layers are kept as blobs is of use to other tools only when all of them are: where
// some came compressed, the others are kept as tars too. An image without any compressed layer,
// such as docker save writes, is not kept twice.
Status complete_blobs(Store const& store, PlannedImage const& image,
                      LayerOutcomes const& outcomes) {
    auto const layer_of = [&](PlannedLayer const& planned) -> ImageLayer const& {
        return outcomes.at(planned.member).layer;
    };
    bool const any_compressed = std::ranges::any_of(image.layers, [&](PlannedLayer const& planned) {
        return layer_of(planned).blob != layer_of(planned).diff_id;
    });
    if (!image.manifest_bytes.has_value() || !any_compressed) {
        return {};
    }
    for (PlannedLayer const& planned : image.layers) {
        ImageLayer const& layer = layer_of(planned);
        // What a shared store has is not copied.
        bool const here = OBLEA_TRY(has_layer(store.root(), layer.diff_id));
        if (layer.blob == layer.diff_id && here) {
            OBLEA_TRY(write_tar_blob(store, layer.diff_id));
        }
    }
    return {};
}

// Under the lock of images.json, where gc is not: from then on the image holds them itself.
Status expect_layers(Store const& store, Image const& image) {
    for (ImageLayer const& layer : image.layers) {
        if (!OBLEA_TRY(has_layer(store.roots(), layer.diff_id))) {
            return fail(Errno::estale, "",
                        fmt::format("layer {} was removed from the store during the import; import "
                                    "again",
                                    layer.diff_id.to_string()));
        }
    }
    return {};
}

ImportedImage report_of(PlannedImage const& planned, LayerOutcomes const& outcomes) {
    ImportedImage report;
    report.id = planned.id;
    report.names = planned.names;
    report.warnings = planned.warnings;
    for (PlannedLayer const& layer : planned.layers) {
        bool const fresh = outcomes.at(layer.member).state == LayerOutcome::State::fresh;
        ++(fresh ? report.layers_new : report.layers_known);
    }
    return report;
}

}  // namespace

Status publish_parts(Store const& store, LayerImporter const& layers,
                     std::vector<PlannedImage> const& images, LayerOutcomes const& outcomes,
                     MergeTree merge) {
    for (PlannedImage const& image : images) {
        OBLEA_TRY(verify_outcomes(image, outcomes));
    }
    for (PlannedImage const& image : images) {
        OBLEA_TRY(layers.add_documents(image));
        if (merge == MergeTree::now) {
            OBLEA_TRY(with_context(layers.add_merged_tree(image),
                                   [&] { return "image " + image.id.short_hex(); }));
        }
    }
    OBLEA_TRY(layers.publish());
    for (PlannedImage const& image : images) {
        OBLEA_TRY(complete_blobs(store, image, outcomes));
    }
    return {};
}

Result<std::vector<ImportedImage>> list_images(Store const& store,
                                               std::vector<PlannedImage> const& planned,
                                               LayerOutcomes const& outcomes,
                                               std::string const& origin) {
    std::vector<Image> images;
    std::vector<ImportedImage> reports;
    for (PlannedImage const& image : planned) {
        images.push_back(image_of(image, outcomes, origin));
        reports.push_back(report_of(image, outcomes));
    }
    auto const add = [&](Images& all) -> Status {
        for (Image const& image : images) {
            OBLEA_TRY(expect_layers(store, image));
            all.put(image);
        }
        return {};
    };
    OBLEA_TRY(store.change_images(add));
    return reports;
}

Result<std::vector<ImportedImage>> publish_images(Store const& store, LayerImporter const& layers,
                                                  std::vector<PlannedImage> const& images,
                                                  LayerOutcomes const& outcomes,
                                                  std::string const& origin, MergeTree merge) {
    OBLEA_TRY(publish_parts(store, layers, images, outcomes, merge));
    return list_images(store, images, outcomes, origin);
}

}  // namespace oblea::store
