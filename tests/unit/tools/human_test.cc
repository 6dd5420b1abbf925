// SPDX-License-Identifier: MIT
#include "tools/output/human.h"

#include "tests/support/catch.h"

#include <cstdlib>
#include <ctime>

using namespace oblea::tools;

namespace {
constexpr std::int64_t kHour = 3600;
constexpr std::int64_t kDay = 24 * kHour;
}  // namespace

TEST_CASE("sizes are written as docker writes them", "[tools][human]") {
    auto const [bytes, text] = GENERATE(table<std::uint64_t, std::string>({
        {0, "0B"},
        {1, "1B"},
        {999, "999B"},
        {1000, "1kB"},
        {1024, "1.02kB"},
        {72'875'723, "72.9MB"},
        {1'090'000'000, "1.09GB"},
        {116'000'000, "116MB"},
        {999'900'000, "1e+03MB"},  // docker's own quirk
        {18'446'744'073'709'551'615U, "18.4EB"},
    }));
    CHECK(human_size(bytes) == text);
}

TEST_CASE("totals have four digits", "[tools][human]") {
    CHECK(human_size_exact(2'746'000) == "2.746MB");
    CHECK(human_size_exact(16'430'000) == "16.43MB");
    CHECK(human_size_exact(0) == "0B");
}

TEST_CASE("ages are written as docker writes them", "[tools][human]") {
    auto const [seconds, text] = GENERATE(table<std::int64_t, std::string>({
        {-5, "Less than a second"},
        {0, "Less than a second"},
        {1, "1 second"},
        {45, "45 seconds"},
        {59, "59 seconds"},
        {60, "About a minute"},
        {119, "About a minute"},
        {120, "2 minutes"},
        {59 * 60 + 59, "59 minutes"},
        {kHour, "About an hour"},
        {kHour + 29 * 60, "About an hour"},
        {kHour + 30 * 60, "2 hours"},
        {47 * kHour, "47 hours"},
        {48 * kHour, "2 days"},
        {13 * kDay, "13 days"},
        {14 * kDay, "2 weeks"},
        {59 * kDay, "8 weeks"},
        {60 * kDay, "2 months"},
        {729 * kDay, "24 months"},
        {730 * kDay, "2 years"},
        {3 * 365 * kDay, "3 years"},
    }));
    CHECK(human_duration(seconds) == text);
}

TEST_CASE("what is left is written as a clock shows it", "[tools][human]") {
    CHECK(clock_duration(5) == "0:05");
    CHECK(clock_duration(65) == "1:05");
    CHECK(clock_duration(7400) == "2:03:20");
}

TEST_CASE("RFC 3339 times are read", "[tools][human]") {
    CHECK(parse_rfc3339("1970-01-01T00:00:00Z") == 0);
    CHECK(parse_rfc3339("2021-03-04T02:24:42.123456789Z") == 1614824682);
    CHECK(parse_rfc3339("2021-03-04T03:24:42+01:00") == 1614824682);
    CHECK(parse_rfc3339("2021-03-03T21:54:42-04:30") == 1614824682);
    CHECK(parse_rfc3339("0001-01-01T00:00:00Z") == -62135596800);
    for (std::string const bad :
         {"", "2021", "2021-03-04", "2021-03-04T02:24:42", "2021-13-04T02:24:42Z",
          "2021-03-04T24:24:42Z", "2021-03-04T02:24:42.Z", "2021-03-04T02:24:42+1:00",
          "2021-03-04T02:24:42Zx", "2o21-03-04T02:24:42Z", "2021-03-04 02:24:42Z"}) {
        CAPTURE(bad);
        CHECK(!parse_rfc3339(bad).has_value());
    }
}

TEST_CASE("times are written as Go prints them, in the local zone", "[tools][human]") {
    ::setenv("TZ", "CET-1CEST,M3.5.0,M10.5.0/3", 1);
    ::tzset();
    CHECK(go_time(1614824682) == "2021-03-04 03:24:42 +0100 CET");
    CHECK(go_time(1625000000) == "2021-06-29 22:53:20 +0200 CEST");
    ::unsetenv("TZ");
    ::tzset();
}
