// SPDX-License-Identifier: MIT
#include "tests/support/catch.h"
#include "tools/overlay/overlay_options.h"

namespace oblea::test {

using namespace tools;
using Strings = std::vector<std::string>;

namespace {

OverlayOptions parsed(std::string const& options) {
    auto result = parse_overlay_options({"lowerdir=a:b", options});
    REQUIRE(result.has_value());
    return *result;
}

}  // namespace

TEST_CASE("options are split at commas that are neither escaped nor quoted", "[overlay]") {
    CHECK(split_options("a,b=c") == Strings{"a", "b=c"});
    CHECK(split_options(",a,,") == Strings{"a"});
    CHECK(split_options(R"(x=a\,b,c)") == Strings{"x=a,b", "c"});
    CHECK(split_options(R"(context="u:r:c1,c2",ro)") == Strings{"context=u:r:c1,c2", "ro"});
    CHECK(split_options(R"(x=a\:b)") == Strings{R"(x=a\:b)"});
    CHECK(split_options(R"(x=\)") == Strings{R"(x=\)"});
}

TEST_CASE("lower folders are split at colons, and come bottom first", "[overlay]") {
    CHECK(split_paths(R"(a\:b:c\\d)") == Strings{"a:b", R"(c\d)"});
    CHECK(parsed("").lower == Strings{"b", "a"});
    auto const twice = parse_overlay_options({"lowerdir=x", "lowerdir=/y::z"});
    REQUIRE(twice.has_value());
    CHECK(twice->lower == Strings{"z", "/y"});
}

TEST_CASE("owners are mapped as fuse-overlayfs and podman write it", "[overlay]") {
    auto const options =
        parsed("uidmapping=:0:1000:1:1:100000:65536,squash_to_gid=5,squash_to_root");
    CHECK(options.owners.users.ranges ==
          std::vector<fs::OwnerRange>{{0, 1000, 1}, {1, 100000, 65536}});
    CHECK(options.owners.users.squashed == 0U);
    CHECK(options.owners.groups.squashed == 5U);
    fs::OwnerMap const map{.ranges = {{0, 1000, 1}, {1, 100000, 65536}}};
    CHECK(map.shown(0) == 1000);
    CHECK(map.shown(3) == 100002);
    CHECK(map.shown(70000) == fs::OwnerMap::kOverflow);
    CHECK(map.stored(100002) == 3U);
    CHECK(map.stored(7) == std::nullopt);
    CHECK(fs::OwnerMap{}.stored(7) == 7U);
}

TEST_CASE("what is unknown, contradicts itself or cannot be done is refused by name", "[overlay]") {
    for (auto const& [options, part] :
         std::vector<std::pair<std::string, std::string>>{{"upprdir=x", "did you mean 'upperdir'"},
                                                          {"nonsense", "'nonsense' is not known"},
                                                          {"upperdir=u", "workdir"},
                                                          {"plugins=x.so", "plugins"},
                                                          {"uidmapping=1:2", "STORED:SHOWN:COUNT"},
                                                          {"uidmapping=1:2:x", "not a number"},
                                                          {"squash_to_uid=", "not a number"},
                                                          {"squash_to_uid=-1", "not a number"},
                                                          {"static_nlink=1", "takes no value"},
                                                          {"workdir", "needs a value"},
                                                          {"redirect_dir=maybe", "follow"}}) {
        CAPTURE(options);
        auto const refused = parse_overlay_options({"lowerdir=a", options});
        REQUIRE_FALSE(refused.has_value());
        CHECK_THAT(refused.error().message(), Catch::Matchers::Contains(part));
    }
    CHECK_FALSE(parse_overlay_options({"upperdir=u,workdir=w"}).has_value());
}

TEST_CASE("options of mount(8), FUSE and kernel overlayfs are taken", "[overlay]") {
    auto const options = parsed("rw,noatime,nodev,x-systemd.automount,metacopy=on,index=off,"
                                "userxattr,default_permissions,fsname=any,plugins=,timeout=1.5");
    CHECK(options.read_only == OverlayOptions::ReadOnly::no);
    CHECK(parsed("fsync=0").durability == OverlayOptions::Durability::none);
    CHECK(parsed("noxattrs=1,noacl").xattrs == OverlayOptions::Xattrs::none);
    CHECK(parsed("xattr_permissions=2").override_xattr == "user.containers.override_stat");
    CHECK(describe_overlay_options().find("squash_to_root:") != std::string::npos);
}

}  // namespace oblea::test
