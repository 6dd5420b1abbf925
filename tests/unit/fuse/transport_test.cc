// SPDX-License-Identifier: MIT
#include "fs/fuse/transport.h"

#include "fs/fuse/ring.h"
#include "tests/support/catch.h"

using namespace oblea;
using namespace oblea::fs;

using Transport = MountOptions::Transport;
using Offered = TransportFacts::Offered;

TEST_CASE("the transport follows from what is asked for and what is possible",
          "[fuse][transport]") {
    auto const [wanted, offered, hindrance, way] =
        GENERATE(table<Transport, Offered, char const*, TransportMode>({
            {Transport::automatic, Offered::no, "", TransportMode::device},
            {Transport::automatic, Offered::no, "no right", TransportMode::device},
            {Transport::automatic, Offered::yes, "", TransportMode::io_uring},
            {Transport::automatic, Offered::yes, "no right", TransportMode::device},
            {Transport::device, Offered::no, "", TransportMode::device},
            {Transport::device, Offered::no, "no right", TransportMode::device},
            {Transport::device, Offered::yes, "", TransportMode::device},
            {Transport::device, Offered::yes, "no right", TransportMode::device},
            {Transport::io_uring, Offered::yes, "", TransportMode::io_uring},
        }));
    auto const choice = decide_transport(wanted, {.offered = offered, .no_rings = hindrance});
    REQUIRE(choice.has_value());
    CHECK(choice->way == way);
    CHECK_FALSE(choice->reason.empty());
}

TEST_CASE("a transport that is asked for and impossible is an error that says why",
          "[fuse][transport]") {
    auto const [offered, hindrance, why] = GENERATE(table<Offered, char const*, char const*>({
        {Offered::no, "", "enable_uring"},
        {Offered::no, "no right", "enable_uring"},
        {Offered::yes, "no right", "no right"},
    }));
    auto const choice =
        decide_transport(Transport::io_uring, {.offered = offered, .no_rings = hindrance});
    REQUIRE_FALSE(choice.has_value());
    CHECK(choice.error().code == Errno::eopnotsupp);
    CHECK_THAT(choice.error().message(), Catch::Matchers::Contains(why));
}

TEST_CASE("the reason of the next best transport says what the best lacks", "[fuse][transport]") {
    auto const reason_of = [](TransportFacts const& facts) {
        return decide_transport(Transport::automatic, facts).value().reason;
    };
    CHECK_THAT(reason_of({.offered = Offered::yes, .no_rings = "too many processors"}),
               Catch::Matchers::Contains("too many processors"));
    CHECK_THAT(reason_of({.offered = Offered::no, .no_rings = ""}),
               Catch::Matchers::Contains("enable_uring"));
}

TEST_CASE("transports have names", "[fuse][transport]") {
    CHECK(name_of(TransportMode::device) == "device");
    CHECK(name_of(TransportMode::io_uring) == "io_uring");
}

TEST_CASE("a list of processors is counted, and what is none counts nothing", "[fuse][transport]") {
    auto const [list, count] = GENERATE(table<char const*, unsigned>({
        {"0-1", 2},
        {"0", 1},
        {"0-3,8-11", 8},
        {"0,2,4-5", 4},
        {"", 0},
        {"x", 0},
        {"3-1", 0},
        {"0-,1", 0},
        {"-1", 0},
        {"0-1x", 0},
        {"0,,1", 0},
    }));
    CAPTURE(list);
    CHECK(count_processors(list) == count);
}
