// SPDX-License-Identifier: MIT
#include "tools/explore/image_report.h"
#include "tools/explore/render_report.h"

#include "tests/support/catch.h"
#include "tests/support/tree_builder.h"

using namespace oblea;
using namespace oblea::test;
using namespace oblea::tools;

namespace {

std::vector<store::Index> layers() {
    std::vector<store::Index> all;
    all.push_back(
        layer({dir("etc"), file("etc/a", "12345"), hard_link("etc/a2", "etc/a"),
               file("etc/b", "123"), dir("opt"), dir("opt/old"), file("opt/old/x", "7654321")}));
    all.push_back(layer({file("etc/a", "1"), whiteout("etc/b"), dir("opt"), opaque("opt"),
                         file("opt/new", "12"), whiteout("never")}));
    all.push_back(layer({file("etc/b", "12"), file("opt", "123456789")}));
    return all;
}

}  // namespace

TEST_CASE("each layer is told by what it adds, replaces, deletes and wastes", "[tools][explore]") {
    auto const all = layers();
    auto const report = value_of(report_image(all, 10));
    REQUIRE(report.layers.size() == 3);
    LayerReport const& bottom = report.layers[0];
    CHECK(bottom.added == 7);
    CHECK(bottom.bytes == 15);  // a hard link is no second copy
    CHECK(bottom.wasted_bytes == 0);
    LayerReport const& middle = report.layers[1];
    CHECK(middle.added == 1);
    CHECK(middle.changed == 2);  // etc/a and opt
    CHECK(middle.deleted == 3);  // etc/b, opt/old, opt/old/x
    CHECK(middle.bytes == 3);
    CHECK(middle.wasted_bytes == 5 + 3 + 7);
    LayerReport const& top = report.layers[2];
    CHECK(top.added == 1);
    CHECK(top.changed == 1);
    CHECK(top.wasted_bytes == 2);
    CHECK(report.total_bytes() == 15 + 3 + 11);
    CHECK(report.root.bytes == report.total_bytes() - report.wasted_bytes());
}

TEST_CASE("the lists of a report begin with what weighs most", "[tools][explore]") {
    auto const all = layers();
    auto const report = value_of(report_image(all, 2));
    REQUIRE(report.wasted.size() == 2);
    CHECK(report.wasted[0].path == "/opt/old/x");
    CHECK(report.wasted[0].bytes == 7);
    CHECK(report.wasted[1].path == "/etc/a");
    REQUIRE(report.largest.size() == 2);
    CHECK(report.largest[0].path == "/opt");
    CHECK(report.largest[0].layer == 2);
}

TEST_CASE("files with the same contents are found, links to one file are not", "[tools][explore]") {
    std::vector<store::Index> all;
    all.push_back(layer({file("a", "same"), file("b", "same"), hard_link("c", "a"),
                         file("d", "else"), file("empty1", ""), file("empty2", "")}));
    auto const report = value_of(report_image(all, 10));
    REQUIRE(report.duplicates.size() == 1);
    CHECK(report.duplicates[0].paths == std::vector<std::string>{"/a", "/b"});
    CHECK(report.duplicates[0].wasted() == 4);
}

TEST_CASE("a name in the image cannot end the page's script", "[tools][explore]") {
    std::vector<store::Index> all;
    all.push_back(layer({file("<script>", "x")}));
    ReportedImage image{.name = "</script><b>",
                        .id = "sha256:x",
                        .layers = {{.diff_id = base::sha256("x"), .created_by = "<!--"}},
                        .report = value_of(report_image(all, 10))};
    auto const page = render_html(image);
    CHECK(page.find("@DOCUMENT@") == std::string::npos);
    CHECK(page.find("</script>") == page.rfind("</script>"));
    CHECK(page.find("<b>") == std::string::npos);
    CHECK_THAT(page, Catch::Matchers::Contains("\\u003cscript>"));
}
