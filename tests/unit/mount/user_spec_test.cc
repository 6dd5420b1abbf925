// SPDX-License-Identifier: MIT
#include "tests/support/catch.h"
#include "tools/mount/user_spec.h"

#include <string>
#include <tuple>

using namespace oblea;
using namespace oblea::tools;

namespace {

constexpr char const* kPasswd = "root:x:0:0:root:/root:/bin/bash\n"
                                "daemon:x:1:1:daemon:/usr/sbin:/usr/sbin/nologin\n"
                                "broken:x:one:1:::\n"
                                "ana:x:1000:1000:Ana,,,:/home/ana:/bin/sh\n"
                                "1000:x:77:78::/home/number:/bin/sh\n"
                                "homeless:x:1001:1001:::/bin/sh\n";
constexpr char const* kGroup = "root:x:0:\n"
                               "audio:x:29:ana,daemon\n"
                               "video:x:44:ana\n"
                               "short:x\n"
                               "ana:x:1000:\n";

}  // namespace

TEST_CASE("a user is found in the image's own files", "[mount][user]") {
    auto const [spec, uid, gid, home] =
        GENERATE(table<std::string, std::uint32_t, std::uint32_t, std::string>({
            {"", 0, 0, "/root"},
            {"root", 0, 0, "/root"},
            {"ana", 1000, 1000, "/home/ana"},
            {"1", 1, 1, "/usr/sbin"},
            {"1000", 77, 78, "/home/number"},  // the name goes before the number
            {"4242", 4242, 0, "/"},
            {"homeless", 1001, 1001, "/"},
            {"ana:audio", 1000, 29, "/home/ana"},
            {"ana:55", 1000, 55, "/home/ana"},
            {"4242:4243", 4242, 4243, "/"},
            {":video", 0, 44, "/root"},
        }));
    CAPTURE(spec);
    auto const identity = resolve_user(spec, kPasswd, kGroup);
    REQUIRE(identity.has_value());
    CHECK(identity->uid == uid);
    CHECK(identity->gid == gid);
    CHECK(identity->home == home);
}

TEST_CASE("supplementary groups are those that name the user", "[mount][user]") {
    CHECK(resolve_user("ana", kPasswd, kGroup)->groups == std::vector<std::uint32_t>{29, 44});
    CHECK(resolve_user("root", kPasswd, kGroup)->groups.empty());
    CHECK(resolve_user("ana:ana", kPasswd, kGroup)->groups.empty());
}

TEST_CASE("an unknown user or group is named", "[mount][user]") {
    auto const [spec, expected] = GENERATE(table<std::string, std::string>({
        {"eve", "no user \"eve\""},
        {"broken", "no user \"broken\""},
        {"4294967295", "no user"},
        {"99999999999", "no user"},
        {"-1", "no user"},
        {"ana:nobodies", "no group \"nobodies\""},
        {"ana:short", "no group \"short\""},
    }));
    CAPTURE(spec);
    auto const identity = resolve_user(spec, kPasswd, kGroup);
    REQUIRE_FALSE(identity.has_value());
    CHECK(identity.error().code == Errno::einval);
    CHECK_THAT(identity.error().message(), Catch::Matchers::Contains(expected));
}

TEST_CASE("an image without passwd runs as root by number", "[mount][user]") {
    auto const identity = resolve_user("", "", "");
    REQUIRE(identity.has_value());
    CHECK(identity->uid == 0);
    CHECK(identity->home == "/root");
    CHECK_FALSE(resolve_user("root", "", "").has_value());
}
