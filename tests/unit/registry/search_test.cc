// SPDX-License-Identifier: MIT
#include "tools/registry/search.h"

#include "tests/support/catch.h"

using namespace oblea;
using namespace oblea::registry;

TEST_CASE("a term names a registry when it begins with one", "[registry][search]") {
    auto const [typed, host, text] = GENERATE(table<std::string, std::string, std::string>({
        {"debian", "docker.io", "debian"},
        {"team/app", "docker.io", "team/app"},
        {"localhost/app", "localhost", "app"},
        {"localhost:5000/app", "localhost:5000", "app"},
        {"quay.io/team/app", "quay.io", "team/app"},
        {"quay.io/", "quay.io", ""},
        {"index.docker.io/debian", "docker.io", "debian"},
    }));
    CAPTURE(typed);
    auto const term = SearchTerm::parse(typed);
    REQUIRE(term.has_value());
    CHECK(term->host == host);
    CHECK(term->text == text);
}

TEST_CASE("an empty term is refused", "[registry][search]") {
    CHECK(SearchTerm::parse("").error().code == Errno::einval);
}

TEST_CASE("search results are read as docker sends them", "[registry][search]") {
    std::string const body = R"({"num_results":2,"results":[
        {"name":"debian","description":"An OS\u001b[31m","star_count":5000,"is_official":true,"is_automated":false},
        {"name":"team/app"}, {"description":"no name"}, 7]})";
    auto const found = parse_search_results(body, "docker.io");
    REQUIRE(found.has_value());
    REQUIRE(found->size() == 2);
    CHECK(found->at(0) ==
          FoundRepository{
              .name = "debian", .description = "An OS [31m", .stars = 5000, .official = true});
    CHECK(found->at(1) == FoundRepository{.name = "team/app"});
    CHECK(parse_search_results(body, "h:1")->at(1).name == "h:1/team/app");
    for (char const* const wrong : {"", "<html>", "[]", R"({"results":7})", "{}"}) {
        CAPTURE(wrong);
        CHECK(parse_search_results(wrong, "h").error().code == Errno::einval);
    }
}

TEST_CASE("a catalogue gives the names that are names", "[registry][search]") {
    auto const names =
        parse_catalog("{\"repositories\":[\"a/b\",\"Bad\",\"c\\u001bd\",7,\"e\"]}", "h");
    REQUIRE(names.has_value());
    CHECK(*names == std::vector<std::string>{"a/b", "e"});
    CHECK(parse_catalog(R"({"repositories":null})", "h")->empty());
    CHECK(parse_catalog("[]", "h").error().code == Errno::einval);
}
