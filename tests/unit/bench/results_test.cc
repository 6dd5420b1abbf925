// SPDX-License-Identifier: MIT
#include "bench/report.h"
#include "tests/support/catch.h"

#include <nlohmann/json.hpp>

using namespace oblea::bench;

namespace {

Work const kWork{.suite = "lookup", .name = "cold", .parameter = "layers", .value = 32};

Results sample_results() {
    Results results;
    for (double const seconds : {3.0, 1.0, 2.0}) {
        results.add(kWork, "overlayfs", seconds);
        results.add(kWork, "oblea", seconds / 4);
    }
    Work other = kWork;
    other.value = 1;
    results.add(other, "oblea", 1);
    results.note("plain <left out>");
    results.note("plain <left out>");
    return results;
}

}  // namespace

TEST_CASE("figures are the median and the ends", "[bench]") {
    Figures const odd = figures_of({3, 1, 2});
    CHECK(odd.median == 2);
    CHECK(odd.minimum == 1);
    CHECK(odd.maximum == 3);
    CHECK(figures_of({4, 1, 3, 2}).median == 2.5);
}

TEST_CASE("a ratio is to the reference at the same point", "[bench]") {
    Results const results = sample_results();
    REQUIRE(results.series().size() == 3);
    CHECK(results.ratio(results.series()[1]) == 0.25);
    CHECK_FALSE(results.ratio(results.series()[2]).has_value());
    CHECK(results.notes().size() == 1);
    CHECK(results.works().size() == 2);
}

TEST_CASE("amounts have units of 1024", "[bench]") {
    auto const [text, value] = GENERATE(
        table<char const*, std::optional<std::uint64_t>>({{"500", 500},
                                                          {"4K", 4096},
                                                          {"64M", 67108864},
                                                          {"1G", 1073741824},
                                                          {"", std::nullopt},
                                                          {"K", std::nullopt},
                                                          {"4KB", std::nullopt},
                                                          {"-1", std::nullopt},
                                                          {"99999999999999G", std::nullopt}}));
    CAPTURE(text);
    CHECK(parse_amount(text) == value);
}

TEST_CASE("figures are written with units and as many digits as they are good for", "[bench]") {
    CHECK(with_unit(1.234, "s") == "1.23 s");
    CHECK(with_unit(0.0000351, "s") == "35.1 us");
    CHECK(with_unit(4.1 * 1048576, "B") == "4.1 MiB");
    CHECK(ratio_text(0.0312) == "0.0312");
    CHECK(ratio_text(1.236) == "1.24");
    CHECK(ratio_text(310.4) == "310");
}

TEST_CASE("each report has every subject and note", "[bench]") {
    Results const results = sample_results();
    Machine const machine{{"kernel", "6 & more"}};
    CHECK_THAT(table_of(results), Catch::Matchers::Contains("lookup: cold, layers 32") &&
                                      Catch::Matchers::Contains("0.250"));
    auto const json = nlohmann::json::parse(json_of(results, machine));
    CHECK(json["results"].size() == 3);
    CHECK(json["results"][1]["ratio"] == 0.25);
    CHECK(json["results"][2]["ratio"].is_null());
    std::string const page = html_of(results, machine);
    CHECK_THAT(page, Catch::Matchers::Contains("6 &amp; more") &&
                         Catch::Matchers::Contains("plain &lt;left out>") &&
                         Catch::Matchers::Contains("<polyline"));
}
