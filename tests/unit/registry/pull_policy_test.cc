// SPDX-License-Identifier: MIT
#include "tools/registry/pull_policy.h"

#include "tests/support/catch.h"

using namespace oblea;
using namespace oblea::registry;

TEST_CASE("the registry is asked when the policy says so", "[registry][pull_policy]") {
    auto const [word, present, absent] = GENERATE(table<std::string, PullStep, PullStep>({
        {"always", PullStep::pull, PullStep::pull},
        {"missing", PullStep::use_present, PullStep::pull},
        {"newer", PullStep::pull_or_use_present, PullStep::pull},
        {"never", PullStep::use_present, PullStep::refuse},
    }));
    CAPTURE(word);
    auto const policy = parse_pull_policy(word);
    REQUIRE(policy.has_value());
    CHECK(decide_pull(*policy, Present::yes) == present);
    CHECK(decide_pull(*policy, Present::no) == absent);
}

TEST_CASE("a policy of another name is refused", "[registry][pull_policy]") {
    CHECK(parse_pull_policy("ifnotpresent").error().code == Errno::einval);
}
