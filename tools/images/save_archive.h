// SPDX-License-Identifier: MIT
// Writes images as one tar that is an OCI layout and a docker archive at once.
//
// Manifests, configs and layers go as they came, so digests hold; every blob once, the documents
// first. The same images give the same bytes. Spec: OCI image-spec image-layout.md; docker
// image-spec v1.2 "Combined Image JSON + Filesystem".
#pragma once
#include "store/layer/import_layer.h"
#include "store/store.h"
#include "tools/images/save_plan.h"

#include <atomic>
#include <span>
#include <string>
#include <vector>

namespace oblea::tools {

struct SaveReport {
    // Images whose manifest had to be made anew: the blobs that it named are gone.
    std::vector<store::Digest> changed;
};

// The caller holds a lease. Errors: as registry::prepare_push; those of the sink; ECANCELED.
Result<SaveReport> save_archive(store::Store const& store, std::span<SavedImage const> images,
                                store::TarSink& sink, std::atomic<bool> const* cancel);

}  // namespace oblea::tools
