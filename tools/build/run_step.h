// SPDX-License-Identifier: MIT
// RUN: a container on the stage's image so far, and its changes as the next layer.
//
// The container is run as `oblea run` does it, by a monitor that ends with this process. Its output
// goes to this process's standard streams. Forks; wants a process of one thread.
#pragma once
#include "tools/build/events.h"
#include "tools/build/step_image.h"
#include "tools/container/run_config.h"
#include "tools/mount/containers.h"

#include <string>
#include <vector>

namespace oblea::tools::build {

struct RunStep {
    PublishStep publish;
    RunConfig config;  // what is run, with the mounts of BuildRun
};

struct RunOutcome {
    int exit_code = 0;  // not 0: there is no image
    store::Digest id;
};

// Errors: those of making and mounting a container, of the runtime, and of the layer.
Result<RunOutcome> run_step(store::Store const& store, RunStep const& step,
                            EventSender const& events);

// A container with the tree of an image, or of layers that no image has, for RunStep's TreeMounts.
// It belongs to the build of that lease.
Result<Container> tree_container(store::Store const& store, store::Image const& image,
                                 std::string const& lease);

}  // namespace oblea::tools::build
