// SPDX-License-Identifier: MIT
// Which stages of a Dockerfile are built, on what, and which wait for which.
//
// Pure. Only what the target needs is in the plan; stages that do not need each other are built
// side by side.
#pragma once
#include "tools/build/dockerfile/dockerfile.h"
#include "tools/build/scope.h"

#include <cstddef>
#include <string>
#include <vector>

namespace oblea::tools::build {

struct StageBase {
    enum class Kind { scratch, stage, image } kind = Kind::scratch;
    std::size_t stage = 0;  // an earlier one
    std::string image;      // as written
    std::string platform;   // empty: the build's
};

struct StagePlan {
    std::size_t stage = 0;  // in Dockerfile::stages
    StageBase base;
    std::vector<std::size_t> needs;  // earlier stages, sorted
    std::size_t first_step = 1;      // the number of its FROM
};

struct BuildPlan {
    Scope global;                   // with the ARGs before the first FROM
    std::vector<StagePlan> stages;  // those that are built, in the order of the file; the last one
                                    // is the target
    std::size_t steps = 0;          // of all of them, and the ARGs before
};

// `target` is a stage's name or number; empty: the last one. Errors: EINVAL "failed to reach build
// target ..."; for a FROM that names nothing, or a --from that names its own or a later stage.
Result<BuildPlan> plan_build(dockerfile::Dockerfile const& file, std::string const& target,
                             Scope global);

// ARG: declares its arguments, each default with what is known by then; the text for the history.
// `env` as Scope::find(). Errors: as expand_word().
Result<std::string> declare_arguments(Scope& scope, dockerfile::Arg const& arg, char escape,
                                      std::vector<std::string> const& env);

// The earlier stage that `from` names, by name or number; nullopt: it is an image. Errors: EINVAL
// for the number of a stage that is not earlier than `own`.
Result<std::optional<std::size_t>> find_stage(dockerfile::Dockerfile const& file, std::size_t own,
                                              std::string const& from);

}  // namespace oblea::tools::build
