// SPDX-License-Identifier: MIT
// RUN --mount: from what the Dockerfile says to what the container is given.
#pragma once
#include "tools/build/build_options.h"
#include "tools/build/cache_folder.h"
#include "tools/build/dockerfile/dockerfile.h"
#include "tools/container/build_run.h"

#include <functional>
#include <string>
#include <vector>

namespace oblea::tools::build {

// What RUN --mount=type=bind shows: of a stage or an image, or of the context (an empty `from`).
struct BoundSource {
    std::string from;
    std::string path;  // absolute, in there
};

struct RunMounts {
    BuildRun run;                    // its trees without their containers
    std::vector<BoundSource> trees;  // for each of run.trees
    std::vector<HeldCache> caches;   // held as long as this lives
    std::vector<std::string> key;    // what the step depends on; empty: nothing
};

struct MountSources {
    std::map<std::string, SecretSource> const& secrets;
    std::string workdir;
    // Tells when what is bound has changed.
    std::function<Result<std::string>(BoundSource const&)> digest;
};

// Errors: ENOENT for a required secret that was not given; EINVAL.
Result<RunMounts> make_run_mounts(store::Store const& store,
                                  std::vector<dockerfile::Mount> const& mounts,
                                  MountSources const& sources);

}  // namespace oblea::tools::build
