// SPDX-License-Identifier: MIT
#include "store/index/layer_tree.h"

#include "store/base/limits.h"
#include "tests/support/catch.h"
#include "tests/support/tree_listing.h"

#include <algorithm>

namespace {

using namespace oblea;
using namespace oblea::test;
using store::FileType;
using store::Index;
using store::LayerTree;
using Lines = std::vector<std::string>;

// What becomes of members, as lines; or the error's message.
Lines tree_of(std::vector<LayerEntry> entries) {
    LayerTree tree;
    for (LayerEntry& entry : entries) {
        auto const added = tree.add(std::move(entry));
        if (!added.has_value()) {
            return {"error: " + added.error().message()};
        }
    }
    auto bytes = tree.finish(diff_id("layer"), {});
    if (!bytes.has_value()) {
        return {"error: " + bytes.error().message()};
    }
    return listing(open_index(*std::move(bytes)));
}

Errno code_of(std::vector<LayerEntry> entries) {
    LayerTree tree;
    for (LayerEntry& entry : entries) {
        auto const added = tree.add(std::move(entry));
        if (!added.has_value()) {
            return added.error().code;
        }
    }
    auto const bytes = tree.finish(diff_id("layer"), {});
    return bytes.has_value() ? Errno{} : bytes.error().code;
}

struct Case {
    char const* what;
    std::vector<LayerEntry> members;
    Lines tree;
};

void check_cases(std::vector<Case> const& cases) {
    for (Case const& one : cases) {
        CAPTURE(one.what);
        CHECK(tree_of(one.members) == one.tree);
    }
}

TEST_CASE("members become a tree sorted by name", "[index][layer_tree]") {
    check_cases({
        {"nothing", {}, {}},
        {"the root has attributes of its own", {dir("./", 0700)}, {"/ 700"}},
        {"bytes sort as unsigned numbers",
         {file("b", "1"), file("\xff", "22"), file("B", "")},
         {"B 644 0", "b 644 1", "\xff 644 2"}},
        {"a folder before what begins like it",
         {dir("a"), file("a/x", "1"), file("a.b", "2")},
         {"a/ 755", "a/x 644 1", "a.b 644 1"}},
        {"special files",
         {device("c", FileType::char_device, {1, 3}), device("b", FileType::block_device, {8, 0}),
          device("p", FileType::fifo, {}), device("s", FileType::socket, {}),
          soft_link("l", "/etc/alternatives/awk")},
         {"b 600 type=5 8:0", "c 600 type=4 1:3", "l -> /etc/alternatives/awk", "p 600 type=6 0:0",
          "s 600 type=7 0:0"}},
        {"setuid, setgid and sticky",
         {file("s", "1", 06755), dir("t", 01777)},
         {"s 6755 1", "t/ 1777"}},
    });
}

TEST_CASE("missing parents become implicit folders", "[index][layer_tree]") {
    check_cases({
        {"of a file",
         {file("a/b/x", "1")},
         {"a/ 755 implicit", "a/b/ 755 implicit", "a/b/x 644 1"}},
        {"described later", {file("a/x", "1"), dir("a", 0700)}, {"a/ 700", "a/x 644 1"}},
        {"of a whiteout", {whiteout("a/x")}, {"a/ 755 implicit", "a/x whiteout"}},
        {"of an opaque mark", {opaque("a")}, {"a/ 755 opaque implicit"}},
    });
}

TEST_CASE("the last member of a name wins", "[index][layer_tree]") {
    check_cases({
        {"file over file", {file("a", "1"), file("a", "22")}, {"a 644 2"}},
        {"folder over folder keeps contents",
         {dir("a", 0700), file("a/x", "1"), dir("a", 0711)},
         {"a/ 711", "a/x 644 1"}},
        {"file over folder removes contents",
         {dir("a"), dir("a/b"), file("a/b/x", "1"), file("a", "2")},
         {"a 644 1"}},
        {"symlink over folder", {dir("a/b"), soft_link("a", "b")}, {"a -> b"}},
        {"folder over file hides what is below it",
         {file("a", "1"), dir("a"), file("a/x", "2")},
         {"a/ 755 opaque", "a/x 644 1"}},
        {"folder over symlink",
         {soft_link("a", "b"), dir("a"), file("a/x", "2")},
         {"a/ 755 opaque", "a/x 644 1"}},
        {"hard link over folder",
         {file("f", "1"), dir("a/b"), hard_link("a", "f")},
         {"a 644 1 nlink=2", "f 644 1 nlink=2"}},
        {"a member after a folder was replaced and made again",
         {file("a/b/x", "1"), file("a", "1"), dir("a"), file("a/b/y", "22")},
         {"a/ 755 opaque", "a/b/ 755 implicit", "a/b/y 644 2"}},
    });
}

TEST_CASE("whiteouts hide lower layers only", "[index][layer_tree]") {
    check_cases({
        {"a name that the layer lacks", {dir("a"), whiteout("a/x")}, {"a/ 755", "a/x whiteout"}},
        {"before the layer's own file", {whiteout("a"), file("a", "1")}, {"a 644 1"}},
        {"after the layer's own file", {file("a", "1"), whiteout("a")}, {"a 644 1"}},
        {"before the layer's own folder",
         {whiteout("a"), dir("a"), file("a/x", "1")},
         {"a/ 755 opaque", "a/x 644 1"}},
        {"after the layer's own folder",
         {dir("a"), file("a/x", "1"), whiteout("a")},
         {"a/ 755 opaque", "a/x 644 1"}},
        {"before an implicit folder",
         {whiteout("a"), file("a/x", "1")},
         {"a/ 755 opaque implicit", "a/x 644 1"}},
        {"opaque before the folder",
         {opaque("a"), dir("a", 0700), file("a/x", "1")},
         {"a/ 700 opaque", "a/x 644 1"}},
        {"opaque after the contents",
         {dir("a", 0700), file("a/x", "1"), opaque("a")},
         {"a/ 700 opaque", "a/x 644 1"}},
        {"the root may be opaque",
         {file("x", "1"), opaque("")},
         {"/ 755 opaque implicit", "x 644 1"}},
        {"a whiteout in an opaque folder",
         {dir("a"), opaque("a"), whiteout("a/x")},
         {"a/ 755 opaque", "a/x whiteout"}},
        {"whiteouts go with the folder that a file replaces",
         {dir("a"), whiteout("a/x"), file("a", "1")},
         {"a 644 1"}},
        {"twice", {whiteout("a"), whiteout("a")}, {"a whiteout"}},
    });
}

TEST_CASE("hard links share an inode", "[index][layer_tree]") {
    check_cases({
        {"to an earlier member",
         {file("a", "1"), hard_link("d/b", "a")},
         {"a 644 1 nlink=2", "d/ 755 implicit", "d/b 644 1 nlink=2"}},
        {"to a later member",
         {hard_link("b", "d/a"), file("d/a", "1")},
         {"b 644 1 nlink=2", "d/ 755 implicit", "d/a 644 1 nlink=2"}},
        {"to a lower layer", {hard_link("b", "d/a")}, {"b => d/a"}},
        {"to a lower layer's file that this layer whites out",
         {whiteout("a"), hard_link("b", "a")},
         {"a whiteout", "b => a"}},
        {"through an earlier link",
         {file("a", "1"), hard_link("b", "a"), hard_link("c", "b")},
         {"a 644 1 nlink=3", "b 644 1 nlink=3", "c 644 1 nlink=3"}},
        {"chains backwards",
         {hard_link("c", "b"), hard_link("b", "a"), file("a", "1")},
         {"a 644 1 nlink=3", "b 644 1 nlink=3", "c 644 1 nlink=3"}},
        {"chains into a lower layer",
         {hard_link("c", "b"), hard_link("b", "a")},
         {"b => a", "c => a"}},
        {"chains into a lower layer, forwards",
         {hard_link("b", "a"), hard_link("c", "b")},
         {"b => a", "c => a"}},
        {"to a symbolic link",
         {soft_link("l", "x"), hard_link("m", "l")},
         {"l -> x nlink=2", "m -> x nlink=2"}},
        {"the old inode stays with its other names",
         {file("a", "1"), hard_link("b", "a"), file("a", "22")},
         {"a 644 2", "b 644 1"}},
        {"a link replaced by a file", {hard_link("b", "a"), file("b", "1")}, {"b 644 1"}},
        {"a link's end does not change with a link that it was made from",
         {hard_link("b", "a"), hard_link("c", "b"), file("b", "1")},
         {"b 644 1", "c => a"}},
        {"over another name of the same inode",
         {file("a", "1"), hard_link("b", "a"), hard_link("b", "a")},
         {"a 644 1 nlink=2", "b 644 1 nlink=2"}},
    });
}

TEST_CASE("a layer that contradicts itself is refused", "[index][layer_tree]") {
    struct Refused {
        char const* what;
        std::vector<LayerEntry> members;
        char const* message;
    };
    LayerEntry long_link = soft_link("l", std::string(limits::kSymlinkBytesMax + 1, 'x'));
    LayerEntry nameless = with_xattrs(file("a", "1"), {{"", "1"}});
    LayerEntry unsorted = with_xattrs(file("a", "1"), {{"user.b", "1"}, {"user.a", "2"}});
    LayerEntry twice = with_xattrs(file("a", "1"), {{"user.a", "1"}, {"user.a", "2"}});
    LayerEntry too_large = with_xattrs(
        file("a", "1"), {{"user.a", std::string(limits::kXattrValueBytesMax + 1, 'x')}});
    LayerEntry wrong_size = file("a", "1");
    wrong_size.attr.size = 2;
    LayerEntry huge = file("a", "");
    huge.attr.size = limits::kFileBytesMax + 1;
    std::vector<Refused> const cases = {
        {"below a symlink",
         {soft_link("etc", "/"), file("etc/passwd", "1")},
         "\"etc/passwd\": its path leads through \"etc\""},
        {"far below a symlink",
         {soft_link("a/b", "/"), file("a/b/c/d", "1")},
         "\"a/b/c/d\": its path leads through \"a/b\""},
        {"below a file", {file("etc", "1"), file("etc/passwd", "1")}, "leads through \"etc\""},
        {"below a link into the lower layers",
         {hard_link("etc", "x"), file("etc/passwd", "1")},
         "leads through \"etc\""},
        {"a whiteout through a symlink",
         {soft_link("etc", "/"), whiteout("etc/passwd")},
         "leads through \"etc\""},
        {"an opaque mark in a symlink",
         {soft_link("etc", "/"), opaque("etc")},
         "leads through \"etc\""},
        {"a hard link below a symlink",
         {file("f", ""), soft_link("d", "/"), hard_link("d/x", "f")},
         "leads through \"d\""},
        {"a hard link to what is below a symlink",
         {soft_link("d", "/"), hard_link("x", "d/passwd")},
         "\"x\": a hard link to \"d/passwd\", whose path leads through what is no folder"},
        {"a hard link to what comes to be below a symlink",
         {hard_link("x", "d/passwd"), soft_link("d", "/")},
         "a hard link to \"d/passwd\", whose path leads through what is no folder"},
        {"a whiteout of the root", {whiteout("")}, "the root folder: a whiteout cannot hide it"},
        {"a root that is a file", {file(".", "1")}, "the root folder: is no folder"},
        {"a root that is a symlink", {soft_link("/", "/etc")}, "the root folder: is no folder"},
        {"a root that is a link", {hard_link("/", "a")}, "the root folder: is a hard link"},
        {"a hard link to itself", {hard_link("a", "./a")}, "\"a\": a hard link to itself"},
        {"a hard link to what it replaces",
         {file("a/x", "1"), hard_link("a", "a/x")},
         "\"a\": a hard link to itself"},
        {"a hard link to a folder",
         {dir("d"), hard_link("a", "d")},
         "\"a\": a hard link to \"d\", which is a folder"},
        {"a hard link to a later folder",
         {hard_link("a", "d"), dir("d")},
         "a hard link to \"d\", which is a folder"},
        {"a hard link to its own folder",
         {hard_link("d/a", "d")},
         "\"d/a\": a hard link to a folder"},
        {"a hard link to the root", {hard_link("a", "/")}, "\"a\": a hard link to a folder"},
        {"hard links in a circle",
         {hard_link("a", "b"), hard_link("b", "c"), hard_link("c", "a")},
         "hard links that lead to each other"},
        {"a symlink without target", {soft_link("l", "")}, "\"l\": a symbolic link whose target"},
        {"a symlink with a NUL", {soft_link("l", std::string("a\0b", 3))}, "has a NUL"},
        {"a symlink that is too long", {long_link}, "longer than 4095"},
        {"an xattr without name", {nameless}, "an xattr whose name is empty"},
        {"unsorted xattrs", {unsorted}, "not in order"},
        {"an xattr twice", {twice}, "equal names"},
        {"an xattr that is too large", {too_large}, "\"user.a\" is larger than 65536"},
        {"content of another size", {wrong_size}, "\"a\": content of another size"},
        {"a file that is too large", {huge}, "\"a\": a file larger than 2^62"},
    };
    for (Refused const& one : cases) {
        CAPTURE(one.what);
        Lines const lines = tree_of(one.members);
        REQUIRE(lines.size() == 1);
        CHECK_THAT(lines.front(), Catch::Matchers::Contains(one.message));
        CHECK(code_of(one.members) == Errno::einval);
    }
}

TEST_CASE("a path of too many parts is refused", "[index][layer_tree]") {
    std::string deepest = "a";
    for (std::size_t i = 1; i < limits::kPathDepthMax; ++i) {
        deepest += "/a";
    }
    CHECK(code_of({file(deepest, "1")}) == Errno{});
    CHECK(code_of({file(deepest + "/a", "1")}) == Errno::e2big);
    // Taken away again without recursion.
    CHECK(tree_of({file(deepest, "1"), file("a", "22")}) == Lines{"a 644 2"});
}

TEST_CASE("sparse files keep their pieces", "[index][layer_tree]") {
    LayerEntry sparse = file("s", std::string(20, 'x'));
    sparse.attr.size = 1U << 20U;
    sparse.content.extents = {{0, 0, 10}, {4096, 10, 10}};
    LayerEntry hole = file("h", "");
    hole.attr.size = 1U << 30U;
    Index const index = layer({sparse, hole});
    auto const content = value_of(index.content(*value_of(index.resolve(path("s")))));
    CHECK(content.kind == store::ContentKind::pack);
    CHECK(content.blob_bytes == 20);
    CHECK(std::vector(content.extents.begin(), content.extents.end()) == sparse.content.extents);
    auto const nothing = value_of(index.content(*value_of(index.resolve(path("h")))));
    CHECK(nothing.kind == store::ContentKind::none);
    CHECK(index.content_bytes() == (1U << 20U) + (1U << 30U));

    auto const refused = [&](std::vector<store::Extent> extents) {
        LayerEntry wrong = sparse;
        wrong.content.extents = std::move(extents);
        return code_of({wrong}) == Errno::einval;
    };
    CHECK(refused({{0, 0, 0}}));
    CHECK(refused({{10, 0, 10}, {0, 10, 10}}));
    CHECK(refused({{0, 0, 10}, {9, 10, 10}}));
    CHECK(refused({{0, 0, 21}}));
    CHECK(refused({{(1U << 20U) - 1, 0, 2}}));
    CHECK(refused({{UINT64_MAX, 0, 2}}));
    CHECK(refused({{0, UINT64_MAX, 2}}));
}

TEST_CASE("content bytes count each inode that has a name once", "[index][layer_tree]") {
    LayerTree tree;
    auto const add = [&](LayerEntry entry) {
        value_of(tree.add(std::move(entry)));
        return tree.content_bytes();
    };
    CHECK(add(file("d/a", "12345")) == 5);
    CHECK(add(hard_link("b", "d/a")) == 5);
    CHECK(add(soft_link("l", "target")) == 5);
    CHECK(add(file("d/c", "123")) == 8);
    CHECK(add(file("d/c", "1")) == 6);
    CHECK(add(file("d", "")) == 5);
    CHECK(add(file("b", "")) == 0);
    CHECK(open_index(value_of(tree.finish(diff_id("x"), {}))).content_bytes() == 0);
}

TEST_CASE("the bytes of an index depend on the tree alone", "[index][layer_tree]") {
    std::vector<LayerEntry> members = {
        dir("a", 0700),
        with_xattrs(file("a/x", "1"), {{"user.a", "1"}, {"user.b", "2"}}),
        with_xattrs(file("a/y", "2"), {{"user.a", "1"}, {"user.b", "2"}}),
        with_xattrs(file("b", "3"), {{"security.capability", std::string("\0\1", 2)}}),
        soft_link("c", "b"),
        hard_link("d", "b"),
        hard_link("e", "lower"),
        whiteout("f"),
        opaque("g"),
        dir("g"),
        object_file("o", "content"),
    };
    base::Bytes const expected = layer_bytes(members);
    for (int i = 0; i < 20; ++i) {
        std::next_permutation(members.begin(), members.end(), [](auto const& l, auto const& r) {
            return l.path.string() + static_cast<char>(l.kind) <
                   r.path.string() + static_cast<char>(r.kind);
        });
        std::rotate(members.begin(), members.begin() + 1, members.end());
        CHECK(layer_bytes(members) == expected);
    }
}

TEST_CASE("the objects of a layer are listed once, in order", "[index][layer_tree]") {
    LayerTree tree;
    value_of(tree.add(object_file("a", "1")));
    value_of(tree.add(object_file("b", "1")));
    value_of(tree.add(object_file("c", "2")));
    value_of(tree.add(file("c", "3")));
    std::vector<store::Digest> expected = {base::sha256("1"), base::sha256("2")};
    std::sort(expected.begin(), expected.end());
    Index const index = open_index(value_of(
        tree.finish(diff_id("x"), {base::sha256("2"), base::sha256("1"), base::sha256("2")})));
    REQUIRE(index.object_count() == 2);
    CHECK(value_of(index.object(0)) == expected[0]);
    CHECK(value_of(index.object(1)) == expected[1]);
    CHECK(index.object(2).error().code == Errno::einval);
    CHECK(value_of(index.content(*value_of(index.resolve(path("b"))))).object == base::sha256("1"));
}

}  // namespace
