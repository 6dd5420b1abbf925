// SPDX-License-Identifier: MIT
#include "store/base/process_stat.h"
#include "tests/support/catch.h"

#include <unistd.h>

using namespace oblea::base;

TEST_CASE("a process may have any name", "[process_stat]") {
    CHECK(stat_field("7 (a) b) S) Z 1 2\n", kStatState) == "Z");
    CHECK(stat_field("7 (a) b) S) Z 1 2\n", 5) == "2");
    CHECK(stat_field("7 (a) Z 1 2\n", 6) == std::nullopt);
    CHECK(stat_field("7 (a", kStatState) == std::nullopt);
    CHECK(stat_field("", kStatState) == std::nullopt);
}

TEST_CASE("processes and threads are found by their numbers", "[process_stat]") {
    std::string const self = std::to_string(::getpid());
    CHECK(process_stat(self, kStatState) == "R");
    CHECK(process_stat(self + "/task/" + self, kStatStart) == process_stat("self", kStatStart));
    CHECK(process_stat("0", kStatState) == std::nullopt);
}
