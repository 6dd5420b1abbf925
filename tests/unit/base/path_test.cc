// SPDX-License-Identifier: MIT
#include "store/base/path.h"

#include "tests/support/catch.h"

using namespace oblea::base;

TEST_CASE("a name is one path component of at most 255 bytes", "[base][path]") {
    CHECK(Name::parse("a").has_value());
    CHECK(Name::parse(".wh.x").has_value());
    CHECK(Name::parse(std::string(255, 'n')).has_value());
    for (std::string const bad : {"", ".", "..", "a/b", "/"}) {
        CAPTURE(bad);
        CHECK(Name::parse(bad).error().code == Errno::einval);
    }
    CHECK(Name::parse(std::string_view{"a\0b", 3}).error().code == Errno::einval);
    CHECK(Name::parse(std::string(256, 'n')).error().code == Errno::enametoolong);
}

TEST_CASE("paths are normalised and never leave their root", "[base][path]") {
    CHECK(RelPath::parse("./usr//bin/./sh").value().string() == "usr/bin/sh");
    CHECK(RelPath::parse("/usr/bin/").value().string() == "usr/bin");
    CHECK(RelPath::parse("").value().is_root());
    CHECK(RelPath::parse("./").value().is_root());
    CHECK(RelPath::parse("a/../b").error().code == Errno::einval);
    CHECK(RelPath::parse("..").error().code == Errno::einval);
    CHECK(RelPath::parse("..a/b..").value().string() == "..a/b..");
    CHECK(RelPath::parse("a/" + std::string(256, 'n')).error().code == Errno::enametoolong);
}

TEST_CASE("paths give their parts", "[base][path]") {
    auto const path = RelPath::parse("usr/bin/sh").value();
    CHECK(path.parent().string() == "usr/bin");
    CHECK(path.filename() == "sh");
    CHECK(path.components() == std::vector<std::string_view>{"usr", "bin", "sh"});
    CHECK((path.parent() / Name::parse("ls").value()).string() == "usr/bin/ls");
    CHECK(RelPath{}.parent().is_root());
}
