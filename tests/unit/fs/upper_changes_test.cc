// SPDX-License-Identifier: MIT
// What the walk of an upper layer tells of what a union did.
#include "fs/upper/upper_changes.h"

#include "store/base/sys.h"
#include "tests/unit/fs/fixture.h"

using namespace oblea;
using namespace oblea::test;
using fs::UpperChange;

namespace {

// "way d", "file d/x", "tree new", "tree! d/sub" (hides the image's folder), "gone top".
Names changes_of(UnionFixture const& fixture) {
    auto const upper = value_of(base::sys::open(fixture.driver->upper_path(""), O_RDONLY));
    auto const work = value_of(base::sys::open(fixture.driver->work_path(""), O_RDONLY));
    fs::MarkSpace const space = value_of(fs::mark_space_of(work.get()));
    Names lines;
    for (UpperChange const& change : value_of(fs::walk_upper(upper.get(), space, *fixture.lower))) {
        std::string line;
        switch (change.kind) {
        case UpperChange::Kind::on_the_way:
            line = "way ";
            break;
        case UpperChange::Kind::file:
            line = change.is_in_image() ? "file~ " : "file ";
            break;
        case UpperChange::Kind::tree:
            line = change.hides_folder() ? "tree! " : "tree ";
            break;
        case UpperChange::Kind::gone:
            line = "gone ";
            break;
        }
        lines.push_back(line + change.path.string());
    }
    return lines;
}

}  // namespace

TEST_CASE("the walk of an untouched upper tells of the root alone", "[fs][upper_changes]") {
    UnionFixture fixture;
    fixture.start_usual();
    CHECK(changes_of(fixture) == Names{"way "});
}

TEST_CASE("the walk tells what a union did, before and after a remount", "[fs][upper_changes]") {
    UnionFixture fixture;
    UnionDriver& fs = fixture.start_usual();
    Names expected;
    SECTION("files changed, made and removed") {
        REQUIRE(fs.write("d/x", "changed").has_value());
        REQUIRE(fs.create("d/new").has_value());
        REQUIRE(fs.unlink("top").has_value());
        REQUIRE(fs.create("gone").has_value());
        REQUIRE(fs.unlink("gone").has_value());
        expected = {"way ", "way d", "file d/new", "file~ d/x", "gone top"};
    }
    SECTION("a new folder is told as a whole") {
        REQUIRE(fs.mkdir("new").has_value());
        REQUIRE(fs.create("new/file").has_value());
        expected = {"way ", "tree new"};
    }
    SECTION("a folder made over a removed one hides it") {
        REQUIRE(fs.unlink("d/sub/deep").has_value());
        REQUIRE(fs.rmdir("d/sub").has_value());
        REQUIRE(fs.mkdir("d/sub").has_value());
        expected = {"way ", "way d", "tree! d/sub"};
    }
    SECTION("a renamed folder of the image is new at its place and gone from the other") {
        REQUIRE(fs.rename("d", "e").has_value());
        expected = {"way ", "gone d", "tree e"};
    }
    SECTION("a folder of the image that is back at its place is at its place") {
        REQUIRE(fs.rename("d", "e").has_value());
        REQUIRE(fs.rename("e", "d").has_value());
        expected = {"way ", "way d"};
    }
    SECTION("a folder in place of a file, and a file in place of a folder") {
        REQUIRE(fs.unlink("top").has_value());
        REQUIRE(fs.mkdir("top").has_value());
        REQUIRE(fs.unlink("d/sub/deep").has_value());
        REQUIRE(fs.rmdir("d/sub").has_value());
        REQUIRE(fs.create("d/sub").has_value());
        expected = {"way ", "way d", "file~ d/sub", "tree top"};
    }
    SECTION("all names of a hard-linked inode are told") {
        REQUIRE(fs.write("h1", "changed").has_value());
        expected = {"way ", "way d", "file~ d/h2", "file~ h1"};
    }
    SECTION("a folder of which only the attributes changed") {
        REQUIRE(fs.chmod("d/sub", 0700).has_value());
        expected = {"way ", "way d", "way d/sub"};
    }
    fixture.now_and_later([&] { CHECK(changes_of(fixture) == expected); });
}
