// SPDX-License-Identifier: MIT
// A build as a whole: its stages as processes, side by side where none needs the other, and what
// they say.
//
// Forks; wants a process of one thread. However this process ends, its stages end with it.
#pragma once
#include "tools/build/build_options.h"
#include "tools/build/build_output.h"
#include "tools/build/dockerfile/dockerfile.h"
#include "tools/build/source_tree.h"
#include "tools/cli/context.h"

#include <atomic>
#include <optional>

namespace oblea::tools::build {

struct BuildRequest {
    Context const& context;
    store::Store const& store;
    BuildOptions const& options;
    dockerfile::Dockerfile const& file;
    SourceTree const* files = nullptr;  // the context; null: none was given
    OutputMode output = OutputMode::classic;
    std::atomic<bool> const& cancel;
    unsigned jobs = 0;  // stages at once; 0: one for each processor
};

struct BuildResult {
    store::Digest id;
    int exit_code = 0;    // not 0: there is no image; what a command that failed has returned
    std::string problem;  // why
    std::vector<std::string> unused_arguments;  // of --build-arg
    std::unique_ptr<BuildOutput> output;        // for what is said afterwards
};

// Errors: those of the plan; ECANCELED. Then nothing of the build runs any more.
Result<BuildResult> build_image(BuildRequest const& request);

}  // namespace oblea::tools::build
