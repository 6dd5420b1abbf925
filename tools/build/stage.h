// SPDX-License-Identifier: MIT
// One stage of a build, step by step, in a process of its own.
//
// The process has one thread: what needs more (reading trees, importing a layer) is done by
// children. It ends with the build, and with it everything that it has started.
#pragma once
#include "tools/build/build.h"
#include "tools/build/events.h"
#include "tools/build/plan.h"

#include <map>

namespace oblea::tools::build {

struct StageWork {
    BuildRequest const& build;
    BuildPlan const& plan;
    StagePlan const& stage;
    std::map<std::size_t, store::Digest> const& finished;  // images of other stages; zeros: nothing
    std::string const& lease;                              // the build's, as Lease::path()
};

// Tells everything by events, the last of which is `done` or `failed`. The exit status of the
// process.
int run_stage(StageWork const& work, EventSender const& events);

}  // namespace oblea::tools::build
