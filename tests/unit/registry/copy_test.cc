// SPDX-License-Identifier: MIT
// What is named to copy from and to, and how copies are called.
#include "tests/support/catch.h"
#include "tools/registry/copy/layout_documents.h"
#include "tools/registry/copy/open_place.h"

#include <nlohmann/json.hpp>

using namespace oblea;
using namespace oblea::registry;
using Kind = CopyLocation::Kind;

namespace {

CopyLocation location_of(std::string_view text) {
    auto const location = parse_copy_location(text);
    REQUIRE(location.has_value());
    return *location;
}

}  // namespace

TEST_CASE("a place is a name, or what skopeo calls it", "[registry][copy]") {
    struct Case {
        char const* text;
        Kind kind;
        char const* path;
        char const* name;
    };
    auto const [text, kind, path, name] =
        GENERATE(values<Case>({{"oci:dir", Kind::oci_layout, "dir", ""},
                               {"oci:/a/b:debian:12", Kind::oci_layout, "/a/b", "debian:12"},
                               {"oci-archive:x.tar:1", Kind::oci_archive, "x.tar", "1"},
                               {"docker-archive:x.tar:@0", Kind::docker_archive, "x.tar", "@0"}}));
    CAPTURE(text);
    auto const location = location_of(text);
    CHECK(location.kind == kind);
    CHECK(location.path == path);
    CHECK(location.name.value_or("") == name);
    for (char const* const typed : {"debian:12", "docker://debian:12"}) {
        CHECK(location_of(typed).reference.canonical() == "docker.io/library/debian:12");
    }
    for (char const* const wrong :
         {"dir:x", "docker-daemon:x", "containers-storage:x", "oci:", ""}) {
        CAPTURE(wrong);
        CHECK_FALSE(parse_copy_location(wrong).has_value());
    }
}

TEST_CASE("a copy is called as one says, else as it was", "[registry][copy]") {
    auto const called = [](char const* target, std::string const& name,
                           std::optional<std::string> const& full) {
        auto const made = target_name(location_of(target), name_as_at_source(name, full));
        REQUIRE(made.has_value());
        return made->tag + ' ' + made->full.value_or("-");
    };
    CHECK(called("me/app", "12", "docker.io/library/debian:12") == "latest -");
    CHECK(called("me/app:3", "12", {}) == "3 -");
    CHECK(called("oci:x", "12", "docker.io/library/debian:12") == "12 docker.io/library/debian:12");
    CHECK(called("oci:x", "docker.io/library/debian:12", {}) == "12 -");
    CHECK(called("oci:x", base::sha256(std::string_view{"a"}).to_string(), {}) == "latest -");
    CHECK(called("oci:x", "", {}) == "latest -");
    CHECK(called("oci:x:any/name:1", "12", "docker.io/library/debian:12") == "any/name:1 -");
    CHECK(called("docker-archive:x:me/app", "12", {}) == "latest docker.io/me/app:latest");
    auto const digest = "me/app@" + base::sha256(std::string_view{"a"}).to_string();
    CHECK_FALSE(target_name(location_of(digest), {.tag = "1", .full = {}}).has_value());
}

TEST_CASE("a layout's index keeps what is not replaced", "[registry][copy]") {
    LayoutEntry const entry{.media_type = "application/vnd.oci.image.manifest.v1+json",
                            .digest = base::sha256(std::string_view{"a"}),
                            .bytes = 7,
                            .name = {.tag = "1", .full = "docker.io/me/app:1"}};
    auto const fresh = with_entries("", {entry});
    REQUIRE(fresh.has_value());
    auto const document = nlohmann::json::parse(*fresh);
    CHECK(document["manifests"].size() == 1);
    CHECK(document["manifests"][0]["annotations"]["io.containerd.image.name"] ==
          "docker.io/me/app:1");
    auto const changed = with_entries(
        R"({"own":1,"manifests":[{"digest":"x","annotations":{"org.opencontainers.image.ref.name":"1"}},{"digest":"y"}]})",
        {entry});
    REQUIRE(changed.has_value());
    auto const merged = nlohmann::json::parse(*changed);
    CHECK(merged["own"] == 1);
    REQUIRE(merged["manifests"].size() == 2);
    CHECK(merged["manifests"][0]["digest"] == "y");
    CHECK(merged["manifests"][1]["size"] == 7);
    for (char const* const wrong : {"[]", "x", "{}", R"({"manifests":1})"}) {
        CAPTURE(wrong);
        CHECK_FALSE(with_entries(wrong, {entry}).has_value());
    }
}
