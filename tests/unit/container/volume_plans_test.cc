// SPDX-License-Identifier: MIT
// Which volumes a container has: as typed, as the image has them, and as they are kept.
#include "tests/support/catch.h"
#include "tools/container/container_volumes.h"
#include "tools/container/mount_options.h"
#include "tools/container/run_config.h"

#include <nlohmann/json.hpp>

using namespace oblea;
using namespace oblea::tools;

namespace {

constexpr char const* kImage =
    R"({"config":{"Cmd":["x"],"Volumes":{"/data":{},"/srv/own/":{},"/srv/own":{},"relative":{},"/":{}}}})";

VolumeMount named(std::string name, std::string target) {
    return {.name = std::move(name), .target = std::move(target)};
}

VolumeMount unnamed(std::string target) {
    VolumeMount mount = named("", std::move(target));
    mount.named = VolumeMount::Named::by_nobody;
    return mount;
}

std::string refusal(Result<AskedMount> const& asked) {
    return asked.has_value() ? "" : asked.error().message();
}

}  // namespace

TEST_CASE("-v tells folders, volumes and volumes without a name apart", "[container][volumes]") {
    VolumeMount read_only = named("data", "/x");
    read_only.access = BindMount::Access::read_only;
    VolumeMount no_copy = named("data", "/x");
    no_copy.copy = VolumeMount::Copy::no;
    auto const [typed, expected] = GENERATE_COPY(table<std::string, AskedMount>(
        {{"data:/x", named("data", "/x")},
         {"data:/x/../y/", named("data", "/y")},
         {"data:/x:ro", read_only},
         {"data:/x:rw,nocopy,Z", no_copy},
         {"/x", unnamed("/x")},
         {"/folder:/x", BindMount{.source = "/folder", .target = "/x"}}}));
    CAPTURE(typed);
    auto const asked = parse_volume_option(typed);
    REQUIRE(asked.has_value());
    CHECK(*asked == expected);
}

TEST_CASE("-v of what is none says why in docker's words", "[container][volumes]") {
    auto const [typed, part] = GENERATE(table<std::string, std::string>(
        {{"data", "mount path must be absolute"},
         {"data:x", "mount path must be absolute"},
         {"data:/", "destination can't be '/'"},
         {"data:", "field Target must not be empty"},
         {"a/b:/x", "includes invalid characters for a local volume name"},
         {"x:/x", "volume name is too short"},
         {"../x:/x", "includes invalid characters"},
         {"data:/x:colour", "invalid mode: colour"},
         {"data:/x:ro:rw", "invalid mode: ro:rw"},
         {"/a:/b:nocopy", "invalid mode: nocopy"}}));
    CAPTURE(typed);
    CHECK_THAT(refusal(parse_volume_option(typed)), Catch::Matchers::Contains(part));
}

TEST_CASE("--mount is a volume unless another type is asked for", "[container][volumes]") {
    VolumeMount expected = named("data", "/x");
    expected.access = BindMount::Access::read_only;
    expected.copy = VolumeMount::Copy::no;
    auto const asked =
        parse_mount_option("source=data,target=/x,readonly,volume-nocopy=true,volume-driver=local");
    REQUIRE(asked.has_value());
    CHECK(*asked == AskedMount{expected});
    auto const without = parse_mount_option("type=volume,dst=/x");
    REQUIRE(without.has_value());
    CHECK(*without == AskedMount{unnamed("/x")});

    auto const [typed, part] = GENERATE(table<std::string, std::string>(
        {{"source=data", "field Target must not be empty"},
         {"source=a/b,target=/x", "includes invalid characters"},
         {"source=data,target=/x,tmpfs-size=1m", "cannot mix 'tmpfs-*' options"},
         {"type=tmpfs,target=/x,volume-nocopy", "cannot mix 'volume-*' options"},
         {"source=data,target=/x,volume-nocopy=perhaps", "invalid value for volume-nocopy"},
         {"source=data,target=/x,volume-driver=nosuch", "plugin \"nosuch\" not found"},
         {"source=data,target=/x,volume-subpath=a", "unexpected key 'volume-subpath'"}}));
    CAPTURE(typed);
    CHECK_THAT(refusal(parse_mount_option(typed)), Catch::Matchers::Contains(part));
}

TEST_CASE("the image's volumes are there unless something else is mounted there",
          "[container][volumes]") {
    auto const plain = plan_run_config(kImage, {});
    REQUIRE(plain.has_value());
    CHECK(plain->volumes == std::vector{unnamed("/data"), unnamed("/srv/own")});

    RunRequest request;
    request.plain.volumes = {named("mine", "/data")};
    request.plain.tmpfs = {{.target = "/srv/own", .options = {}}};
    auto const covered = plan_run_config(kImage, request);
    REQUIRE(covered.has_value());
    CHECK(covered->volumes == std::vector{named("mine", "/data")});

    request.plain.binds = {{.source = "/usr", .target = "/data"}};
    CHECK_FALSE(plan_run_config(kImage, request).has_value());
}

TEST_CASE("volumes are kept as they were asked for, each with a name", "[container][volumes]") {
    RunRequest request;
    request.plain.volumes = {named("mine", "/mine")};
    request.plain.volumes.front().access = BindMount::Access::read_only;
    auto config = plan_run_config(kImage, request);
    REQUIRE(config.has_value());
    REQUIRE(name_volumes(*config).has_value());
    CHECK(config->volumes.at(0).name == "mine");
    CHECK(config->volumes.at(1).name.size() == 64);
    CHECK(config->volumes.at(1).name != config->volumes.at(2).name);

    auto const wanted = volumes_wanted(*config);
    REQUIRE(wanted.size() == 3);
    CHECK(wanted.at(0).labels.empty());
    CHECK(wanted.at(1).labels.contains(Volume::kAnonymous));

    auto const again = parse_run_config(encode_run_config(*config).dump());
    REQUIRE(again.has_value());
    CHECK(*again == *config);
}
