// SPDX-License-Identifier: MIT
#include "fs/fuse/data_mode.h"
#include "tests/support/catch.h"

using namespace oblea;
using namespace oblea::fs;

using Data = MountOptions::Data;
using Writable = DataFacts::Writable;

TEST_CASE("the data mode follows from what is asked for and what is possible", "[fuse]") {
    auto const [wanted, writable, hindrance, mode] =
        GENERATE(table<Data, Writable, char const*, DataMode>({
            {Data::automatic, Writable::no, "", DataMode::no_open},
            {Data::automatic, Writable::no, "no right", DataMode::no_open},
            {Data::automatic, Writable::yes, "", DataMode::passthrough},
            {Data::automatic, Writable::yes, "no right", DataMode::no_open},
            {Data::cached, Writable::no, "", DataMode::cached},
            {Data::cached, Writable::yes, "", DataMode::cached},
            {Data::no_open, Writable::yes, "", DataMode::no_open},
            {Data::passthrough, Writable::no, "", DataMode::passthrough},
            {Data::passthrough, Writable::yes, "", DataMode::passthrough},
        }));
    auto const choice = decide_data(wanted, {.writable = writable, .no_passthrough = hindrance});
    REQUIRE(choice.has_value());
    CHECK(choice->mode == mode);
    CHECK_FALSE(choice->reason.empty());
}

TEST_CASE("a mode that is asked for and impossible is an error that says why", "[fuse]") {
    auto const choice =
        decide_data(Data::passthrough, {.writable = Writable::yes, .no_passthrough = "no right"});
    REQUIRE_FALSE(choice.has_value());
    CHECK(choice.error().code == Errno::eopnotsupp);
    CHECK_THAT(choice.error().message(), Catch::Matchers::Contains("no right"));
}

TEST_CASE("the reason of the next best says what the best lacks", "[fuse]") {
    auto const choice = decide_data(
        Data::automatic, {.writable = Writable::yes, .no_passthrough = "it needs CAP_SYS_ADMIN"});
    CHECK_THAT(choice.value().reason, Catch::Matchers::Contains("CAP_SYS_ADMIN"));
}
