// SPDX-License-Identifier: MIT
#include "store/image/reference.h"

#include "tests/support/catch.h"

#include <tuple>

using namespace oblea;
using namespace oblea::store;

namespace {
std::string const kHex(64, 'a');
}

TEST_CASE("a reference is normalised as docker does", "[store][reference]") {
    auto const [typed, canonical, familiar] =
        GENERATE(table<std::string, std::string, std::string>({
            {"debian", "docker.io/library/debian", "debian"},
            {"debian:12", "docker.io/library/debian:12", "debian:12"},
            {"user/app", "docker.io/user/app", "user/app"},
            {"docker.io/ubuntu", "docker.io/library/ubuntu", "ubuntu"},
            {"index.docker.io/ubuntu:1", "docker.io/library/ubuntu:1", "ubuntu:1"},
            {"docker.io/library/a/b", "docker.io/library/a/b", "library/a/b"},
            {"localhost", "docker.io/library/localhost", "localhost"},
            {"foo.bar:tag", "docker.io/library/foo.bar:tag", "foo.bar:tag"},
            {"localhost/x", "localhost/x", "localhost/x"},
            {"localhost:5000/image", "localhost:5000/image", "localhost:5000/image"},
            {"quay.io/a/b/c:master", "quay.io/a/b/c:master", "quay.io/a/b/c:master"},
            {"[::1]:5000/x:y", "[::1]:5000/x:y", "[::1]:5000/x:y"},
            {"[fe80::1]/x", "[fe80::1]/x", "[fe80::1]/x"},
            {"Host/x", "Host/x", "Host/x"},
            {"a-b.c--d/e_f", "a-b.c--d/e_f", "a-b.c--d/e_f"},
            {"a__b/c---d.e:_T.-", "docker.io/a__b/c---d.e:_T.-", "a__b/c---d.e:_T.-"},
            {"docker.io/localhost/x:1", "docker.io/localhost/x:1", "docker.io/localhost/x:1"},
            {"x:1@sha256:" + kHex, "docker.io/library/x:1@sha256:" + kHex, "x:1@sha256:" + kHex},
        }));
    CAPTURE(typed);
    auto const parsed = Reference::parse(typed);
    REQUIRE(parsed.has_value());
    CHECK(parsed->canonical() == canonical);
    CHECK(parsed->familiar() == familiar);
    CHECK(Reference::parse(parsed->familiar())->canonical() == canonical);
}

TEST_CASE("what is no reference is refused in docker's words", "[store][reference]") {
    auto const [typed, words] = GENERATE(table<std::string, std::string>({
        {"", "invalid reference format"},
        {":latest", "invalid reference format"},
        {"Bad", "invalid reference format: repository name (library/Bad) must be lowercase"},
        {"quay.io/Bad:x", "invalid reference format: repository name (Bad) must be lowercase"},
        {"a//b", "invalid reference format"},
        {"a/", "invalid reference format"},
        {"/a", "invalid reference format"},
        {"a..b", "invalid reference format"},
        {"a.-b", "invalid reference format"},
        {"a___b", "invalid reference format"},
        {"-a", "invalid reference format"},
        {"a-", "invalid reference format"},
        {"a b", "invalid reference format"},
        {"a:", "invalid reference format"},
        {"a:.x", "invalid reference format"},
        {"a:b:c", "invalid reference format"},
        {"a@sha256:12", "invalid reference format"},
        {"a@", "invalid reference format"},
        {"ho-st-.x/a", "invalid reference format"},
        {"h:x/a", "invalid reference format"},
        {"[]/a", "invalid reference format"},
        {"[::1/a", "invalid reference format"},
        {"\xc3\xa4", "invalid reference format"},
        {"a:" + std::string(129, 'x'), "invalid reference format"},
        {std::string(250, 'a'), "repository name must not be more than 255 characters"},
        {kHex,
         "invalid repository name (" + kHex + "), cannot specify 64-byte hexadecimal strings"},
    }));
    CAPTURE(typed);
    auto const parsed = Reference::parse(typed);
    REQUIRE_FALSE(parsed.has_value());
    CHECK(parsed.error().code == Errno::einval);
    CHECK(parsed.error().detail == words);
}

TEST_CASE("a digest of another algorithm than sha256 is refused by name", "[store][reference]") {
    auto const parsed = Reference::parse("a@sha512:" + std::string(128, 'a'));
    REQUIRE_FALSE(parsed.has_value());
    CHECK_THAT(parsed.error().detail, Catch::Matchers::StartsWith("invalid reference format"));
}

TEST_CASE("the default tag comes only where neither tag nor digest is", "[store][reference]") {
    CHECK(Reference::parse("a")->with_default_tag().familiar() == "a:latest");
    CHECK(Reference::parse("a:1")->with_default_tag().familiar() == "a:1");
    CHECK(Reference::parse("a@sha256:" + kHex)->with_default_tag().familiar() ==
          "a@sha256:" + kHex);
}

TEST_CASE("a tag of 128 characters is the longest", "[store][reference]") {
    CHECK(Reference::is_valid_tag(std::string(128, 'x')));
    CHECK_FALSE(Reference::is_valid_tag(std::string(129, 'x')));
    CHECK_FALSE(Reference::is_valid_tag(""));
    CHECK_FALSE(Reference::is_valid_tag("a/b"));
}
