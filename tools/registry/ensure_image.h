// SPDX-License-Identifier: MIT
// For commands that use an image: brings it from its registry first, as --pull says.
#pragma once
#include "store/store.h"
#include "tools/cli/context.h"
#include "tools/registry/pull_policy.h"

#include <string>

namespace oblea::tools {

struct EnsureImageRequest {
    std::string image;  // as typed: a name, an id, the beginning of one
    registry::PullPolicy policy = registry::PullPolicy::missing;
    std::string platform{};  // "os/arch[/variant]"; empty: the machine's
    bool quiet = false;      // nothing is said but errors
};

// Afterwards the store has the image; the name by which it has it is the result: what was typed, or
// what a short name stands for (resolve_short_name). What is said on the way goes to standard
// error, as the command's results are another thing: "Unable to find image 'debian:latest'
// locally", then what pull prints. The network is only touched where the policy wants it, and
// nothing is pulled for what can only be an id.
//
// Call it while the process has one thread, and take no lease before it: the pull is done by a
// child process, so that there is still one thread afterwards, as mount_image() needs. Errors: as
// Images::resolve for an image that is not there and must not be pulled; those of pull_image();
// ECANCELED.
Result<std::string> ensure_image(Context const& context, store::Store const& store,
                                 EnsureImageRequest const& request);

// --pull always|missing|newer|never, for the commands that call it; `target` holds "missing" at
// first. The parser allows no other words.
[[nodiscard]] Option pull_policy_option(std::string& target);

}  // namespace oblea::tools
