// SPDX-License-Identifier: MIT
#include "store/layer/whiteout.h"

#include "tests/support/catch.h"

using namespace oblea;
using namespace oblea::store;
using Kind = WhiteoutMark::Kind;

namespace {
Result<WhiteoutMark> parse(std::string_view member) {
    return parse_whiteout(RelPath::parse(member).value());
}
}  // namespace

TEST_CASE("marks for lower layers are told by their names", "[layer][whiteout]") {
    auto const [member, kind, path] = GENERATE(table<std::string, Kind, std::string>({
        {"a", Kind::none, ""},
        {"wh.a/x.wh.y", Kind::none, ""},
        {".wh.a", Kind::whiteout, "a"},
        {"d/e/.wh.a", Kind::whiteout, "d/e/a"},
        {"d/.wh.a/", Kind::whiteout, "d/a"},
        {"d/.wh..hidden", Kind::whiteout, "d/.hidden"},
        {".wh..wh..opq", Kind::opaque, ""},
        {"d/.wh..wh..opq", Kind::opaque, "d"},
        {".wh..wh.plnk/1.2", Kind::leftover, ""},
        {".wh..wh.aufs", Kind::leftover, ""},
        {"d/.wh..wh.orph/x/y", Kind::leftover, ""},
        {".wh..wh..opq/x", Kind::leftover, ""},
    }));
    CAPTURE(member);
    auto const mark = parse(member).value();
    CHECK(mark.kind == kind);
    CHECK(mark.path.string() == path);
}

TEST_CASE("a whiteout must name something that can exist", "[layer][whiteout]") {
    CHECK(parse(".wh.").error().code == Errno::einval);
    CHECK(parse("d/.wh.").error().code == Errno::einval);
    CHECK(parse("d/.wh..").error().code == Errno::einval);
    CHECK(parse("d/.wh...").error().code == Errno::einval);
    CHECK(parse(".wh.d/x").error().code == Errno::einval);
}
