// SPDX-License-Identifier: MIT
// COPY, ADD and the folder of WORKDIR: which files, from where, as which layer.
//
// Uses threads: to be called in a child process of a stage.
#pragma once
#include "tools/build/copy_plan.h"
#include "tools/build/dockerfile/dockerfile.h"
#include "tools/build/metadata.h"
#include "tools/build/step_image.h"

#include <memory>
#include <string>

namespace oblea::tools::build {

struct CopyStep {
    PublishStep publish;  // its facts have everything but created_by
    RunSettings settings;
    dockerfile::Instruction const& instruction;  // expanded: COPY, ADD or WORKDIR
    // COPY and ADD take from it; of --from it is the image's.
    SourceTree const* tree = nullptr;
    bool from_image = false;  // owners and extended attributes are kept
    // Images of --cache-from.
    std::vector<BuildImage> cache_from = {};
    bool use_cache = true;
};

struct CopyOutcome {
    store::Digest id;
    bool cached = false;
};

// Errors: ENOENT, EINVAL, ENOTDIR, EISDIR in docker's words; as publish_step.
Result<CopyOutcome> copy_step(store::Store const& store, CopyStep const& step);

// What RUN --mount=type=bind shows of the context, at the same path in a layer that no image has:
// its digest, and its diff ID once it is in the store. A null `files` is no context. Errors: as
// copy_step().
Result<store::Digest> digest_in_context(store::Store const& store, SourceTree const* files,
                                        std::string const& path);
Result<store::Digest> import_context(store::Store const& store, SourceTree const* files,
                                     std::string const& path);

}  // namespace oblea::tools::build
