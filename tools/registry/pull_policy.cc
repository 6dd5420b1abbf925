// SPDX-License-Identifier: MIT
#include "tools/registry/pull_policy.h"

#include <string>

namespace oblea::registry {

Result<PullPolicy> parse_pull_policy(std::string_view text) {
    if (text == "always") {
        return PullPolicy::always;
    }
    if (text == "missing") {
        return PullPolicy::missing;
    }
    if (text == "newer") {
        return PullPolicy::newer;
    }
    if (text == "never") {
        return PullPolicy::never;
    }
    return fail(Errno::einval, "",
                "\"" + std::string{text} + "\": must be always, missing, newer or never");
}

PullStep decide_pull(PullPolicy policy, Present present) {
    switch (policy) {
    case PullPolicy::always:
        return PullStep::pull;
    case PullPolicy::missing:
        return present == Present::yes ? PullStep::use_present : PullStep::pull;
    case PullPolicy::newer:
        return present == Present::yes ? PullStep::pull_or_use_present : PullStep::pull;
    case PullPolicy::never:
        break;
    }
    return present == Present::yes ? PullStep::use_present : PullStep::refuse;
}

}  // namespace oblea::registry
