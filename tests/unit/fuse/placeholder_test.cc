// SPDX-License-Identifier: MIT
#include "fs/fuse/counters.h"
#include "fs/fuse/placeholder.h"
#include "tests/support/catch.h"

using namespace oblea;
using namespace oblea::fs;

TEST_CASE("a placeholder is found by folder and name, and nothing else is", "[fuse][placeholder]") {
    Placeholders placeholders;
    placeholders.add(Ino::root, "proc", FileType::directory, {.seconds = 7});
    placeholders.add(Ino{12}, "hosts", FileType::regular, {.seconds = 7});

    auto const proc = placeholders.find(Ino::root, "proc");
    REQUIRE(proc);
    CHECK(proc->attr.type == FileType::directory);
    CHECK(proc->attr.nlink == 2);
    CHECK(Placeholders::owns(proc->attr.ino));
    CHECK(placeholders.attr(proc->attr.ino)->mtime.seconds == 7);

    auto const hosts = placeholders.find(Ino{12}, "hosts");
    REQUIRE(hosts);
    CHECK(hosts->attr.type == FileType::regular);
    CHECK(hosts->attr.ino != proc->attr.ino);

    CHECK_FALSE(placeholders.find(Ino{12}, "proc"));
    CHECK_FALSE(Placeholders::owns(Ino::root));
    CHECK(placeholders.attr(Ino{Placeholders::kInoFirst + 2}).error().code == Errno::estale);
    CHECK(placeholders.attr(Ino::root).error().code == Errno::estale);
}

TEST_CASE("every request has a name", "[fuse][counters]") {
    for (std::size_t i = 0; i < kOpCount; ++i) {
        CHECK_FALSE(kOpNames[i].empty());
    }
    CHECK(name_of(Op::lookup) == "lookup");
    CHECK(name_of(Op::ioctl) == "ioctl");
    CHECK(name_of(Op::readdirplus) == "readdirplus");
}
