// SPDX-License-Identifier: MIT
#include "fs/mountinfo.h"
#include "tests/support/catch.h"

using namespace oblea::fs;

TEST_CASE("the mount table's fields are found whatever optional ones are there",
          "[fs][mountinfo]") {
    auto const table = parse_mountinfo(
        "22 27 0:21 / /proc rw,relatime - proc proc rw\n"
        "40 27 0:57 / /srv/a\\040b rw,nosuid shared:3 master:1 - fuse.oblea oblea rw,user_id=0\n"
        "broken line\n"
        "41 27 0:58 / /srv/a\\040b rw - fuse.oblea-overlay x\\134y rw\n");
    REQUIRE(table.size() == 3);
    CHECK(table[1].device == "0:57");
    CHECK(table[1].mount_point == "/srv/a b");
    CHECK(table[1].options == "rw,nosuid");
    CHECK(table[1].type == "fuse.oblea");
    CHECK(table[2].source == "x\\y");

    SECTION("of several mounts at one place the last is on top") {
        auto const top = top_mount_at(table, "/srv/a b");
        REQUIRE(top);
        CHECK(top->device == "0:58");
        CHECK_FALSE(top_mount_at(table, "/srv"));
    }
    SECTION("ours are told from others by their type") {
        CHECK_FALSE(is_ours(table[0]));
        CHECK(is_ours(table[1]));
        CHECK(is_ours(table[2]));
        CHECK_FALSE(is_ours({.device = {},
                             .mount_point = {},
                             .options = {},
                             .type = "fuse.obleaxyz",
                             .source = {}}));
    }
}
