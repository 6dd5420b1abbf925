// SPDX-License-Identifier: MIT
#include "tools/images/path_in_image.h"

#include "tests/support/catch.h"
#include "tests/support/tree_builder.h"

using namespace oblea;
using namespace oblea::test;
using namespace oblea::tools;
using store::InodeNo;

namespace {

// The type and size of what a path leads to: enough to tell the files of these tests apart.
std::string what(store::Index const& tree, std::string_view at) {
    auto const found = value_of(follow_path(tree, at));
    if (!found.has_value()) {
        return "none";
    }
    auto const attr = value_of(tree.attr(*found));
    return attr.type == store::FileType::directory ? "folder" : "file " + std::to_string(attr.size);
}

}  // namespace

TEST_CASE("paths are followed as inside the image", "[tools][path_in_image]") {
    auto const lower =
        layer({dir("etc"), file("etc/a", "1"), dir("usr"), dir("usr/bin"), file("usr/bin/sh", "22"),
               soft_link("bin", "usr/bin"), soft_link("etc/absolute", "/usr/bin/sh"),
               soft_link("etc/relative", "../usr/./bin//sh"),
               soft_link("etc/outside", "../../../../etc/a"), soft_link("loop", "loop"),
               soft_link("dangling", "nowhere")});
    auto const tree = merged({&lower});
    auto const [at, expected] = GENERATE(table<std::string, std::string>({
        {"/", "folder"},
        {"", "folder"},
        {"etc/a", "file 1"},
        {"/etc/a", "file 1"},
        {"//etc/../etc/./a", "file 1"},
        {"/bin/sh", "file 2"},
        {"/bin", "folder"},
        {"/bin/../etc/a", "none"},  // ".." of where the link leads: /usr
        {"/bin/../bin/sh", "file 2"},
        {"/etc/absolute", "file 2"},
        {"/etc/relative", "file 2"},
        {"/etc/outside", "file 1"},
        {"/../../etc/a", "file 1"},
        {"/etc/a/b", "none"},
        {"/etc/a/..", "none"},
        {"/nosuch", "none"},
        {"/dangling", "none"},
    }));
    CAPTURE(at);
    CHECK(what(tree, at) == expected);
    CHECK(follow_path(tree, "/loop").error().code == Errno::eloop);
}

TEST_CASE("types and modes are shown as ls shows them", "[tools][path_in_image]") {
    auto text = [](store::FileType type, std::uint32_t permissions) {
        return mode_text(inode("x", type, permissions).attr);
    };
    CHECK(text(store::FileType::regular, 0644) == "-rw-r--r--");
    CHECK(text(store::FileType::directory, 01777) == "drwxrwxrwt");
    CHECK(text(store::FileType::regular, 06755) == "-rwsr-sr-x");
    CHECK(text(store::FileType::regular, 07000) == "---S--S--T");
    CHECK(text(store::FileType::symlink, 0777) == "lrwxrwxrwx");
    CHECK(text(store::FileType::char_device, 0600) == "crw-------");
}
