// SPDX-License-Identifier: MIT
#include "tests/support/catch.h"
#include "tools/mount/id_map.h"

using namespace oblea::tools;

TEST_CASE("subordinate ids are found by name and by number", "[mount][ids]") {
    constexpr char const* kFile = "ana:100000:65536\n"
                                  "bob:165536:65536\n"
                                  "1000:300000:10\n"
                                  "ana:x:5\n"
                                  "ana:5\n"
                                  "ana:400000:0\n"
                                  "# ana:1:1\n";
    CHECK(parse_subordinate_ids(kFile, "ana", 1000) ==
          std::vector<IdRange>{{100000, 65536}, {300000, 10}});
    CHECK(parse_subordinate_ids(kFile, "bob", 1001) == std::vector<IdRange>{{165536, 65536}});
    CHECK(parse_subordinate_ids(kFile, "eve", 1002).empty());
    CHECK(parse_subordinate_ids("", "ana", 1000).empty());
}

TEST_CASE("the caller is root inside and its ranges follow", "[mount][ids]") {
    CHECK(plan_id_map(1000, {}) == std::vector<IdMapLine>{{0, 1000, 1}});
    CHECK(plan_id_map(1000, {{100000, 65536}, {300000, 10}}) ==
          std::vector<IdMapLine>{{0, 1000, 1}, {1, 100000, 65536}, {65537, 300000, 10}});
}

TEST_CASE("a map never passes the last id", "[mount][ids]") {
    auto const map = plan_id_map(0, {{4294967290U, 100}, {10, 4294967295U}, {5, 5}});
    REQUIRE(map.size() == 4);
    CHECK(map[1] == IdMapLine{1, 4294967290U, 5});
    for (IdMapLine const& line : map) {
        CHECK(line.count > 0);
        CHECK(std::uint64_t{line.inside} + line.count <= 4294967295U);
        CHECK(std::uint64_t{line.outside} + line.count <= 4294967295U);
    }
}

TEST_CASE("the kernel's form of a map is read", "[mount][ids]") {
    auto const map = parse_id_map("         0       1000          1\n"
                                  "         1     100000      65536\n");
    CHECK(map == std::vector<IdMapLine>{{0, 1000, 1}, {1, 100000, 65536}});
    CHECK(id_count(map) == 65537);
    CHECK(id_count(parse_id_map("0 0 4294967295\n")) == 4294967295U);
    CHECK(parse_id_map("nonsense\n").empty());
}
