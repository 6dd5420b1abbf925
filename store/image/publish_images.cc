// SPDX-License-Identifier: MIT
#include "store/image/publish_images.h"

#include "store/image/merged_index.h"
#include "store/image/rfc3339.h"
#include "store/layer/import_layer.h"

#include <fmt/format.h>

namespace oblea::store {

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
    return image;
}

Status write_parts(Store const& store, PlannedImage const& planned, Image const& image) {
    OBLEA_TRY(store.write_blob(planned.config_bytes, planned.id));
    if (planned.manifest_bytes.has_value()) {
        OBLEA_TRY(store.write_blob(*planned.manifest_bytes, *image.manifest));
    }
    OBLEA_TRY(with_context(open_merged_index(store.root(), planned.config.diff_ids),
                           [&] { return "image " + planned.id.short_hex(); }));
    return {};
}

// Under the lock of images.json, where gc is not: from then on the image holds them itself.
Status expect_layers(Store const& store, Image const& image) {
    for (ImageLayer const& layer : image.layers) {
        if (!OBLEA_TRY(has_layer(store.root(), layer.diff_id))) {
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

Result<std::vector<ImportedImage>> publish_images(Store const& store,
                                                  std::vector<PlannedImage> const& planned,
                                                  LayerOutcomes const& outcomes,
                                                  std::string const& origin) {
    std::vector<Image> images;
    std::vector<ImportedImage> reports;
    for (PlannedImage const& image : planned) {
        OBLEA_TRY(verify_outcomes(image, outcomes));
        images.push_back(image_of(image, outcomes, origin));
        OBLEA_TRY(write_parts(store, image, images.back()));
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

}  // namespace oblea::store
