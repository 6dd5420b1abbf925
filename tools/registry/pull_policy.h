// SPDX-License-Identifier: MIT
// When an image that is named is brought from its registry.
//
// Pure. Spec: docker "docker run --pull"; podman "podman pull --policy".
#pragma once
#include "store/base/error.h"

#include <string_view>

namespace oblea::registry {

enum class PullPolicy {
    always,   // the registry is asked, and must answer
    missing,  // only when the store has no image of the name
    newer,    // the registry is asked; when it cannot answer, what the store has will do
    never,    // the network is not touched
};

// Errors: EINVAL for another word than always, missing, newer and never.
Result<PullPolicy> parse_pull_policy(std::string_view text);

enum class PullStep { use_present, pull, pull_or_use_present, refuse };
enum class Present { no, yes };
[[nodiscard]] PullStep decide_pull(PullPolicy policy, Present present);

}  // namespace oblea::registry
