// SPDX-License-Identifier: MIT
#include "store/index/merge.h"

#include "store/index/format.h"
#include "tests/support/catch.h"
#include "tests/support/tree_listing.h"

namespace {

using namespace oblea;
using namespace oblea::test;
using store::Index;
using Lines = std::vector<std::string>;

Index merge_of(std::vector<std::vector<LayerEntry>> const& bottom_first) {
    std::vector<Index> layers;
    std::vector<Index const*> pointers;
    for (auto const& members : bottom_first) {
        layers.push_back(layer(members, "layer " + std::to_string(layers.size())));
    }
    for (Index const& one : layers) {
        pointers.push_back(&one);
    }
    return merged(pointers);
}

TEST_CASE("stacked layers show one tree", "[index][merge]") {
    struct Case {
        char const* what;
        std::vector<std::vector<LayerEntry>> layers;
        Lines tree;
    };
    std::vector<Case> const cases = {
        {"no layers", {}, {}},
        {"one layer without marks",
         {{dir("a"), file("a/x", "1"), whiteout("b"), opaque("a")}},
         {"a/ 755", "a/x 644 1"}},
        {"file over file", {{file("a", "1")}, {file("a", "22")}}, {"a 644 2"}},
        {"both files", {{file("b", "1")}, {file("a", "22")}}, {"a 644 2", "b 644 1"}},
        {"folder joins folder",
         {{dir("a", 0700), file("a/x", "1"), file("a/y", "1")},
          {dir("a", 0711), file("a/x", "22"), file("a/z", "333")}},
         {"a/ 711", "a/x 644 2", "a/y 644 1", "a/z 644 3"}},
        {"implicit folder takes the lower attributes",
         {{dir("a", 0700), file("a/x", "1")}, {file("a/y", "22")}},
         {"a/ 700", "a/x 644 1", "a/y 644 2"}},
        {"explicit folder over implicit",
         {{file("a/x", "1")}, {dir("a", 0700)}},
         {"a/ 700", "a/x 644 1"}},
        {"implicit folder over nothing",
         {{}, {file("a/x", "1")}},
         {"a/ 755 implicit", "a/x 644 1"}},
        {"implicit folder over a file",
         {{file("a", "1", 0600)}, {file("a/x", "1")}},
         {"a/ 755 implicit", "a/x 644 1"}},
        {"file over folder", {{dir("a"), file("a/x", "1")}, {file("a", "1")}}, {"a 644 1"}},
        {"link over folder, then a folder again",
         {{dir("a"), file("a/x", "1")}, {soft_link("a", "b")}, {dir("a"), file("a/y", "1")}},
         {"a/ 755", "a/y 644 1"}},
        {"folder over link",
         {{soft_link("a", "b")}, {dir("a"), file("a/y", "1")}},
         {"a/ 755", "a/y 644 1"}},
        {"whiteout of a file", {{file("a", "1"), file("b", "1")}, {whiteout("a")}}, {"b 644 1"}},
        {"whiteout of a folder", {{dir("a"), file("a/b/x", "1")}, {whiteout("a")}}, {}},
        {"whiteout of nothing", {{}, {whiteout("a")}}, {}},
        {"whiteout two layers below", {{file("a", "1")}, {}, {whiteout("a")}}, {}},
        {"back after a whiteout",
         {{file("a", "1")}, {whiteout("a")}, {file("a", "22")}},
         {"a 644 2"}},
        {"whiteout and file of one layer",
         {{dir("a"), file("a/x", "1")}, {file("a", "1"), whiteout("a")}},
         {"a 644 1"}},
        {"whiteout and folder of one layer",
         {{dir("a", 0700), file("a/x", "1")}, {whiteout("a"), dir("a"), file("a/y", "1")}},
         {"a/ 755", "a/y 644 1"}},
        {"opaque folder",
         {{dir("a"), file("a/x", "1"), dir("a/b")},
          {opaque("a"), dir("a", 0711), file("a/y", "1")}},
         {"a/ 711", "a/y 644 1"}},
        {"opaque folder keeps what lies above",
         {{file("a/x", "1")}, {opaque("a"), file("a/y", "1")}, {file("a/z", "1")}},
         {"a/ 755 implicit", "a/y 644 1", "a/z 644 1"}},
        {"opaque mark without a folder of its own",
         {{dir("a", 0700), file("a/x", "1")}, {opaque("a")}},
         {"a/ 700"}},
        {"opaque root", {{file("a", "1"), dir("b/c")}, {opaque(""), file("d", "1")}}, {"d 644 1"}},
        {"folder under an opaque one does not join",
         {{dir("a/b", 0700), file("a/b/x", "1")}, {dir("a"), opaque("a"), dir("a/b", 0711)}},
         {"a/ 755", "a/b/ 711"}},
        {"root attributes", {{dir("", 0711)}, {file("a", "1")}}, {"/ 711", "a 644 1"}},
        {"root attributes of the upper", {{dir("", 0711)}, {dir("", 0700)}}, {"/ 700"}},
    };
    for (Case const& one : cases) {
        CAPTURE(one.what);
        CHECK(listing(merge_of(one.layers)) == one.tree);
    }
}

TEST_CASE("link counts are of the names that remain", "[index][merge]") {
    struct Case {
        char const* what;
        std::vector<std::vector<LayerEntry>> layers;
        Lines tree;
    };
    std::vector<Case> const cases = {
        {"a name replaced",
         {{file("a", "1"), hard_link("b", "a")}, {file("a", "22")}},
         {"a 644 2", "b 644 1"}},
        {"a name hidden",
         {{file("a", "1"), hard_link("b", "a"), hard_link("c", "a")}, {whiteout("c")}},
         {"a 644 1 nlink=2", "b 644 1 nlink=2"}},
        {"a link to a lower layer",
         {{file("d/a", "1")}, {hard_link("b", "d/a")}},
         {"b 644 1 nlink=2", "d/ 755 implicit", "d/a 644 1 nlink=2"}},
        {"a link to a lower symlink",
         {{soft_link("l", "x")}, {hard_link("m", "l")}},
         {"l -> x nlink=2", "m -> x nlink=2"}},
        {"a link whose target the same layer hides",
         {{file("a", "1")}, {whiteout("a"), hard_link("b", "a")}},
         {"b 644 1"}},
        {"a link whose target the same layer replaces",
         {{file("a", "1"), dir("d")},
          {hard_link("b", "a"), hard_link("d/c", "b"), file("b", "22")}},
         {"a 644 1 nlink=2", "b 644 2", "d/ 755", "d/c 644 1 nlink=2"}},
        {"a link from inside an opaque folder to its lower contents",
         {{file("d/a", "1")}, {opaque("d"), hard_link("d/b", "d/a")}},
         {"d/ 755 implicit", "d/b 644 1"}},
        {"a link to a link",
         {{file("a", "1")}, {hard_link("b", "a")}, {hard_link("c", "b"), whiteout("a")}},
         {"b 644 1 nlink=2", "c 644 1 nlink=2"}},
        {"a link over its own target",
         {{file("a", "1")}, {}, {hard_link("b", "a")}, {hard_link("a", "b")}},
         {"a 644 1 nlink=2", "b 644 1 nlink=2"}},
    };
    for (Case const& one : cases) {
        CAPTURE(one.what);
        CHECK(listing(merge_of(one.layers)) == one.tree);
    }
    Index const folders = merge_of({{dir("a/b"), dir("a/c")}, {whiteout("a/b"), dir("a/d/e")}});
    CHECK(value_of(folders.attr(*value_of(folders.resolve(path("a"))))).nlink == 4);
    CHECK(value_of(folders.attr(store::InodeNo::root)).nlink == 3);
}

TEST_CASE("a link that leads nowhere ends the merge", "[index][merge]") {
    auto const message = [](std::vector<LayerEntry> lower, std::vector<LayerEntry> upper) {
        Index const below = layer(std::move(lower));
        Index const above = layer(std::move(upper));
        auto const bytes = store::merge(std::vector{&below, &above});
        REQUIRE_FALSE(bytes.has_value());
        CHECK(bytes.error().code == Errno::einval);
        return bytes.error().message();
    };
    CHECK(message({}, {hard_link("b", "d/a")}) ==
          "layer 1: the hard link \"b\" leads to \"d/a\", which no layer below it has");
    CHECK(message({dir("a")}, {hard_link("b", "a")}) ==
          "layer 1: the hard link \"b\" leads to \"a\", which is a folder in the layers below it");
    CHECK(message({soft_link("d", "e"), file("e/a", "1")}, {hard_link("b", "d/a")}) ==
          "layer 1: the hard link \"b\" leads to \"d/a\", which no layer below it has");
}

TEST_CASE("a merged index says where everything comes from", "[index][merge]") {
    Index const lower = layer({with_xattrs(dir("d", 0700), {{"user.d", "lower"}}),
                               with_xattrs(file("d/a", "1"), {{"user.a", "v"}}),
                               object_file("o", "unused"), object_file("p", "used")},
                              "lower");
    Index const upper = layer({file("d/b", "22"), hard_link("e", "d/a"), whiteout("o")}, "upper");
    Index const both = merged({&lower, &upper});

    CHECK(both.kind() == store::IndexKind::merged);
    REQUIRE(both.layer_count() == 2);
    CHECK(value_of(both.layer(store::LayerPos{0})) == diff_id("lower"));
    CHECK(value_of(both.layer(store::LayerPos{1})) == diff_id("upper"));
    REQUIRE(both.object_count() == 1);
    CHECK(value_of(both.object(0)) == base::sha256("used"));
    CHECK(both.content_bytes() == 7);

    auto const origin_is = [&](char const* at, std::uint32_t position, Index const& from) {
        auto const ino = *value_of(both.resolve(path(at)));
        store::Origin const origin = value_of(both.origin(ino));
        CHECK(origin.layer == store::LayerPos{position});
        CHECK(origin.ino == *value_of(from.resolve(path(at))));
        CHECK(value_of(both.find_origin(origin)) == ino);
    };
    origin_is("", 0, lower);
    origin_is("d", 0, lower);
    origin_is("d/a", 0, lower);
    origin_is("d/b", 1, upper);
    origin_is("p", 0, lower);
    auto const hidden = *value_of(lower.resolve(path("o")));
    CHECK(value_of(both.find_origin({store::LayerPos{0}, hidden})) == std::nullopt);
    CHECK(value_of(both.find_origin({store::LayerPos{2}, store::InodeNo{1}})) == std::nullopt);

    auto const shared = *value_of(both.resolve(path("e")));
    CHECK(value_of(both.xattr(shared, "user.a")) == "v");
    CHECK(value_of(both.xattr(shared, "user.b")) == std::nullopt);
    CHECK(value_of(both.xattr(*value_of(both.resolve(path("d"))), "user.d")) == "lower");
    auto const content = value_of(both.content(*value_of(both.resolve(path("d/b")))));
    CHECK(content.layer == store::LayerPos{1});
    CHECK(content.pack_check == base::xxh3_128(base::bytes_of("22")));
}

TEST_CASE("an image without layers is an empty folder", "[index][merge]") {
    Index const empty = merged({});
    CHECK(empty.inode_count() == 1);
    CHECK(empty.layer_count() == 0);
    CHECK(value_of(empty.attr(store::InodeNo::root)).permissions == 0755);
    CHECK(value_of(empty.entry_count(store::InodeNo::root)) == 0);
    CHECK(value_of(empty.lookup(store::InodeNo::root, "a")) == std::nullopt);
    CHECK(value_of(empty.find_origin({})) == std::nullopt);
}

TEST_CASE("only indexes of layers are merged, and not too many", "[index][merge]") {
    Index const one = layer({file("a", "1")});
    Index const image = merged({&one});
    CHECK(store::merge(std::vector{&image}).error().code == Errno::euclean);
    std::vector<Index const*> many(1000, &one);
    CHECK(listing(merged(many)) == Lines{"a 644 1"});
    many.push_back(&one);
    CHECK(store::merge(many).error().code == Errno::e2big);
}

TEST_CASE("a chain id follows from diff ids as the image specification says", "[index][merge]") {
    auto const a = base::sha256("a");
    auto const b = base::sha256("b");
    auto const c = base::sha256("c");
    CHECK(store::chain_id(std::vector{a}) == a);
    auto const ab = base::sha256(a.to_string() + " " + b.to_string());
    CHECK(store::chain_id(std::vector{a, b}) == ab);
    CHECK(store::chain_id(std::vector{a, b, c}) ==
          base::sha256(ab.to_string() + " " + c.to_string()));
}

// How many slots a lookup tries, whatever it looks for: at most those of the longest run that is
// taken, and the one behind it.
std::size_t most_probes(Index const& index) {
    store::format::Header header{};
    std::memcpy(&header, index.bytes().data(), sizeof(header));
    auto const section = header.sections[static_cast<std::size_t>(store::format::Section::slots)];
    auto const slots =
        base::records_of<std::uint32_t const>(index.bytes().subspan(section.offset, section.bytes));
    std::size_t longest = 0;
    std::size_t run = 0;
    for (std::size_t at = 0; at < 2 * slots.size();
         ++at) {  // twice: the last one leads to the first
        run = slots[at % slots.size()] != 0 ? run + 1 : 0;
        longest = std::max(longest, run);
    }
    return longest + 1;
}

TEST_CASE("what a lookup tries does not depend on the number of layers", "[index][merge]") {
    constexpr unsigned kFiles = 2000;
    constexpr std::size_t kProbesMax = 64;
    unsigned const layers = GENERATE(1U, 32U, 500U);
    std::vector<std::vector<LayerEntry>> dealt(layers, {dir("usr"), dir("usr/lib")});
    for (unsigned i = 0; i < kFiles; ++i) {
        dealt[i % layers].push_back(file("usr/lib/name" + std::to_string(i), "1"));
    }
    Index const both = merge_of(dealt);
    REQUIRE(both.layer_count() == layers);
    CHECK(most_probes(both) <= kProbesMax);
}

}  // namespace
