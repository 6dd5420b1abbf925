// SPDX-License-Identifier: MIT
#include "store/expiry.h"

#include "tests/support/catch.h"

using namespace oblea;
using namespace oblea::store;

namespace {

Digest id(char const* name) {
    return base::sha256(std::string_view{name});
}

ExpiryCandidate candidate(char const* name, std::int64_t last_used,
                          std::vector<ExpiryCandidate::Thing> things) {
    return {.id = id(name), .last_used = last_used, .things = std::move(things)};
}

std::vector<Digest> ids(std::vector<ExpiredImage> const& expired) {
    std::vector<Digest> list;
    for (ExpiredImage const& image : expired) {
        list.push_back(image.id);
    }
    return list;
}

}  // namespace

TEST_CASE("images go by their last use, until the store is small enough", "[store][expiry]") {
    std::vector<ExpiryCandidate> const candidates{
        candidate("new", 300, {{"new", 50}, {"shared", 40}}),
        candidate("old", 100, {{"old", 30}, {"shared", 40}}),
        candidate("middle", 200, {{"middle", 20}, {"shared", 40}}),
    };
    CHECK(plan_expiry(candidates, 140, {}).empty());
    CHECK(plan_expiry(candidates, 140, {.keep_bytes = 140}).empty());
    CHECK(ids(plan_expiry(candidates, 140, {.keep_bytes = 139})) == std::vector{id("old")});
    CHECK(ids(plan_expiry(candidates, 140, {.keep_bytes = 100})) ==
          std::vector{id("old"), id("middle")});
    CHECK(ids(plan_expiry(candidates, 140, {.used_before = 200})) == std::vector{id("old")});

    auto const all = plan_expiry(candidates, 140, {.keep_bytes = 0});
    REQUIRE(all.size() == 3);
    CHECK(all[0].freed_bytes == 30);
    CHECK(all[1].freed_bytes == 20);
    CHECK(all[2].freed_bytes == 90);  // with what it shared, now that nobody else needs it
}

TEST_CASE("an image in use never goes, nor does what it shares count as freed", "[store][expiry]") {
    std::vector<ExpiryCandidate> candidates{
        candidate("used", 1, {{"used", 50}, {"shared", 40}}),
        candidate("free", 2, {{"free", 30}, {"shared", 40}}),
    };
    candidates[0].state = ExpiryCandidate::State::in_use;
    auto const expired = plan_expiry(candidates, 120, {.keep_bytes = 0, .used_before = 100});
    REQUIRE(expired.size() == 1);
    CHECK(expired[0].id == id("free"));
    CHECK(expired[0].freed_bytes == 30);
}
