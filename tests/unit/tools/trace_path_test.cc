// SPDX-License-Identifier: MIT
#include "tools/images/trace_path.h"

#include "tests/support/catch.h"
#include "tests/support/tree_builder.h"
#include "tools/images/path_in_image.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

using namespace oblea;
using namespace oblea::test;
using namespace oblea::tools;

namespace {

std::vector<store::Index> layers() {
    std::vector<store::Index> all;
    all.push_back(layer({dir("etc"), file("etc/a", "1"), file("etc/b", "1"), dir("opt"),
                         dir("opt/old"), file("opt/old/x", "1"), file("plain", "1")}));
    all.push_back(layer({file("etc/a", "22"), whiteout("etc/b"), dir("opt"), opaque("opt"),
                         file("opt/new", "1"), whiteout("nothing")}));
    all.push_back(layer({file("etc/b", "333"), dir("plain"), file("plain/y", "1")}));
    return all;
}

// "2:entry(3) 1:hides 0:entry(1)": layers from the top, sizes of files.
std::string trace(std::vector<std::string> const& names) {
    std::vector<std::string> parts;
    for (auto const& sighting : value_of(trace_path(layers(), names))) {
        parts.push_back(sighting.kind == Sighting::Kind::hides
                            ? fmt::format("{}:hides", sighting.layer)
                            : fmt::format("{}:entry({})", sighting.layer, sighting.attr->size));
    }
    return fmt::format("{}", fmt::join(parts, " "));
}

}  // namespace

TEST_CASE("a path is traced through the layers from the top", "[tools][trace_path]") {
    CHECK(trace({"etc", "a"}) == "1:entry(2) 0:entry(1)");
    CHECK(trace({"etc", "b"}) == "2:entry(3) 1:hides 0:entry(1)");
    CHECK(trace({"opt", "old", "x"}) == "1:hides 0:entry(1)");
    CHECK(trace({"opt", "new"}) == "1:entry(1)");
    CHECK(trace({"plain", "y"}) == "2:entry(1)");
    CHECK(trace({"plain"}) == "2:entry(0) 0:entry(1)");
    CHECK(trace({"nothing"}).empty());
    CHECK(trace({"etc", "a", "below"}).empty());
}

TEST_CASE("a path without links keeps what is missing at its end", "[tools][path_in_image]") {
    auto const lower = layer({dir("usr"), dir("usr/bin"), file("usr/bin/sh", "1"),
                              soft_link("bin", "usr/bin"), soft_link("usr/bin/ash", "sh")});
    auto const tree = merged({&lower});
    auto const names = [&](std::string_view path, LastLink last) {
        return fmt::format("{}", fmt::join(value_of(walk_path(tree, path, last)).names, "/"));
    };
    CHECK(names("/bin/sh", LastLink::stay) == "usr/bin/sh");
    CHECK(names("/bin", LastLink::stay) == "bin");
    CHECK(names("/bin/ash", LastLink::follow) == "usr/bin/sh");
    CHECK(names("/bin/gone/deeper", LastLink::stay) == "usr/bin/gone/deeper");
    CHECK(names("bin/../bin/./x", LastLink::stay) == "usr/bin/x");
}
