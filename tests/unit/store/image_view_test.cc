// SPDX-License-Identifier: MIT
#include "store/image/image_view.h"

#include "store/index/merge.h"
#include "tests/support/catch.h"
#include "tests/support/temp_dir.h"
#include "tests/unit/store/fake_layers.h"

#include <thread>

using namespace oblea;
using namespace oblea::store;
using namespace oblea::test;
namespace sys = oblea::base::sys;

namespace {

Store open_new(TempDir const& dir) {
    return value_of(Store::open(dir / "store", Store::Create::if_missing));
}

InodeNo find(ImageView const& view, std::string_view at) {
    auto const found = value_of(view.tree().resolve(path(at)));
    REQUIRE(found.has_value());
    return *found;
}

std::string read(ImageView const& view, std::string_view at, std::size_t bytes = 1000,
                 std::uint64_t offset = 0) {
    base::Bytes buffer(bytes, std::byte{'?'});
    std::size_t const count = value_of(view.read(find(view, at), buffer, offset));
    return std::string{base::text_of(buffer).substr(0, count)};
}

LayerEntry sparse_file(std::string_view at, std::uint64_t size, ContentKind kind,
                       std::string_view blob, std::vector<Extent> extents) {
    LayerEntry entry = inode(at, FileType::regular, 0644);
    entry.attr.size = size;
    entry.content.kind = kind;
    entry.content.blob_bytes = blob.size();
    entry.content.extents = std::move(extents);
    if (kind == ContentKind::object) {
        entry.content.object = base::sha256(blob);
    } else {
        entry.content.pack_check = base::xxh3_128(base::bytes_of(blob));
    }
    return entry;
}

// Bottom: packed, object and sparse files. Top: hides one, adds one.
std::vector<Digest> two_layers(Store const& store) {
    put_object(store, "a large object");
    LayerEntry all_hole = inode("hole", FileType::regular, 0644);
    all_hole.attr.size = 10;
    LayerEntry sparse =
        sparse_file("sparse", 20, ContentKind::pack, "abcdef", {{2, 0, 3}, {5, 3, 1}, {10, 4, 2}});
    sparse.content.pack_offset = 9;
    return {
        put_layer(
            store, "bottom",
            {packed_file("one", 0, "first"), packed_file("two", 5, "next"),
             object_file("object", "a large object"), all_hole, sparse,
             sparse_file("sparse object", 16, ContentKind::object, "a large object", {{1, 2, 5}}),
             file("empty", ""), dir("folder")},
            "firstnextabcdef"),
        put_layer(store, "top", {packed_file("two", 2, "changed"), whiteout("one")}, "..changed")};
}

}  // namespace

TEST_CASE("a view reads every kind of content", "[store][view]") {
    TempDir dir;
    auto const store = open_new(dir);
    auto const view = value_of(ImageView::open(store, two_layers(store)));
    CHECK(read(*view, "two") == "changed");
    CHECK(read(*view, "two", 3, 2) == "ang");
    CHECK(read(*view, "two", 3, 7).empty());
    CHECK(read(*view, "two", 3, UINT64_MAX).empty());
    CHECK(read(*view, "object") == "a large object");
    CHECK(read(*view, "object", 5, 2) == "large");
    CHECK(read(*view, "empty").empty());
    CHECK(read(*view, "hole") == std::string(10, '\0'));
    using namespace std::string_literals;
    CHECK(read(*view, "sparse") == "\0\0abcd\0\0\0\0ef\0\0\0\0\0\0\0\0"s);
    CHECK(read(*view, "sparse", 8, 4) == "cd\0\0\0\0ef"s);
    CHECK(read(*view, "sparse object") == "\0large\0\0\0\0\0\0\0\0\0\0"s);
    CHECK_FALSE(value_of(view->tree().resolve(path("one"))).has_value());
    base::Bytes buffer(1);
    CHECK(view->read(find(*view, "folder"), buffer, 0).error().code == Errno::einval);
}

TEST_CASE("a view finds data and holes as lseek does", "[store][view]") {
    TempDir dir;
    auto const store = open_new(dir);
    auto const view = value_of(ImageView::open(store, two_layers(store)));
    auto const [name, offset, data, hole] =
        GENERATE(table<std::string, std::uint64_t, std::int64_t, std::int64_t>({
            {"two", 0, 0, 7},
            {"two", 6, 6, 7},
            {"two", 7, -1, -1},
            {"hole", 3, -1, 3},
            {"sparse", 0, 2, 0},
            {"sparse", 3, 3, 6},
            {"sparse", 5, 5, 6},
            {"sparse", 6, 10, 6},
            {"sparse", 11, 11, 12},
            {"sparse", 12, -1, 12},
            {"sparse", 20, -1, -1},
            {"empty", 0, -1, -1},
            {"object", 1, 1, 14},
        }));
    CAPTURE(name, offset);
    auto const seek = [&](ImageView::Seek what) {
        auto const found = view->seek(find(*view, name), offset, what);
        if (!found.has_value()) {
            CHECK(found.error().code == Errno{ENXIO});
        }
        return found.has_value() ? static_cast<std::int64_t>(*found) : -1;
    };
    CHECK(seek(ImageView::Seek::data) == data);
    CHECK(seek(ImageView::Seek::hole) == hole);
}

TEST_CASE("a file of the pack is seen mapped, an object by its descriptor", "[store][view]") {
    TempDir dir;
    auto const store = open_new(dir);
    auto const view = value_of(ImageView::open(store, two_layers(store)));
    CHECK(base::text_of(value_of(view->mapped(find(*view, "two"), 1, 100))) == "hanged");
    CHECK(base::text_of(value_of(view->mapped(find(*view, "two"), 1, 2))) == "ha");
    for (char const* name : {"object", "sparse", "hole", "empty"}) {
        CHECK(value_of(view->mapped(find(*view, name), 0, 10)).empty());
    }
    auto const object = value_of(view->object(find(*view, "object")));
    REQUIRE(object != nullptr);
    CHECK((::fcntl(object->get(), F_GETFL) & O_ACCMODE) == O_RDONLY);
    CHECK(value_of(view->object(find(*view, "sparse object"))) == nullptr);
    CHECK(value_of(view->object(find(*view, "two"))) == nullptr);
}

TEST_CASE("what is open stays readable when the store loses its names", "[store][view]") {
    TempDir dir;
    auto const store = open_new(dir);
    auto const view = value_of(ImageView::open(store, two_layers(store)));
    CHECK(read(*view, "object") == "a large object");
    value_of(sys::remove_tree(store.root(), "layers"));
    value_of(sys::remove_tree(store.root(), "merged"));
    value_of(sys::remove_tree(store.root(), "objects"));
    CHECK(read(*view, "two") == "changed");
    CHECK(read(*view, "object") == "a large object");
}

TEST_CASE("missing and short contents are EIO with a name", "[store][view]") {
    TempDir dir;
    auto const store = open_new(dir);
    auto const layers = two_layers(store);
    base::Bytes buffer(100);
    SECTION("object missing") {
        auto const view = value_of(ImageView::open(store, layers));
        value_of(
            sys::unlinkat(store.root(), layout::object(base::sha256("a large object")).c_str()));
        auto const failed = view->read(find(*view, "object"), buffer, 0);
        CHECK(failed.error().code == Errno::eio);
        CHECK(failed.error().detail.contains("objects/"));
    }
    SECTION("object short") {
        auto const view = value_of(ImageView::open(store, layers));
        put_file(store, layout::object(base::sha256("a large object")), "a");
        CHECK(view->read(find(*view, "object"), buffer, 0).error().code == Errno::eio);
    }
    SECTION("pack short") {
        put_file(store, layout::layer_pack(layers[1]), "..cha");
        auto const view = value_of(ImageView::open(store, layers));
        CHECK(view->read(find(*view, "two"), buffer, 0).error().code == Errno::eio);
        CHECK(view->mapped(find(*view, "two"), 0, 1).error().code == Errno::eio);
    }
    SECTION("pack empty") {
        put_file(store, layout::layer_pack(layers[1]), "");
        auto const view = value_of(ImageView::open(store, layers));
        CHECK(view->read(find(*view, "two"), buffer, 0).error().code == Errno::eio);
    }
    SECTION("layer missing") {
        value_of(sys::remove_tree(store.root(), layout::layer(layers[0]).c_str()));
        auto const view = ImageView::open(store, image_of("x", layers));
        CHECK(view.error().code == Errno::enoent);
        CHECK(view.error().detail.contains("docker.io/library/x:latest"));
        CHECK(view.error().detail.contains(layers[0].to_string()));
    }
}

TEST_CASE("the merged index is a cache that heals itself", "[store][view]") {
    TempDir dir;
    auto const store = open_new(dir);
    auto const layers = two_layers(store);
    std::string const cache = layout::merged(chain_id(layers));
    value_of(ImageView::open(store, layers));
    std::string const good = value_of(sys::read_file(store.root(), cache.c_str(), 1 << 20));
    auto const change = GENERATE(0, 1, 2);
    if (change == 0) {
        put_file(store, cache, "damage");
    } else if (change == 1) {
        put_file(store, cache, good.substr(0, good.size() - 1));
    } else {
        put_file(store, cache,
                 value_of(sys::read_file(store.root(), layout::layer_index(layers[0]).c_str(),
                                         1 << 20)));
    }
    CHECK(read(*value_of(ImageView::open(store, layers)), "two") == "changed");
    CHECK(value_of(sys::read_file(store.root(), cache.c_str(), 1 << 20)) == good);
    CHECK(value_of(sys::list_dir(
                       value_of(sys::openat(store.root(), "tmp", O_RDONLY | O_DIRECTORY)).get()))
              .size() == 1);
}

TEST_CASE("no layers at all are an empty root folder", "[store][view]") {
    TempDir dir;
    auto const store = open_new(dir);
    auto const view = value_of(ImageView::open(store, std::span<Digest const>{}));
    CHECK(view->tree().inode_count() == 1);
    CHECK(value_of(view->tree().attr(InodeNo::root)).type == FileType::directory);
}

TEST_CASE("many threads read more objects than the view keeps open", "[store][view]") {
    TempDir dir;
    auto const store = open_new(dir);
    std::vector<LayerEntry> entries;
    for (int i = 0; i < 600; ++i) {
        std::string const text = "object number " + std::to_string(i);
        put_object(store, text);
        entries.push_back(object_file(std::to_string(i), text));
    }
    std::vector const layers{put_layer(store, "many", std::move(entries), "")};
    auto const view = value_of(ImageView::open(store, layers));
    std::atomic<int> wrong{0};
    {
        std::vector<std::jthread> threads;
        for (int thread = 0; thread < 4; ++thread) {
            threads.emplace_back([&, thread] {
                base::Bytes buffer(100);
                for (int i = 0; i < 600; ++i) {
                    std::string const name = std::to_string((i * 7 + thread * 150) % 600);
                    auto const ino = view->tree().resolve(path(name));
                    auto const count = view->read(**ino, buffer, 0);
                    wrong += count.has_value() && base::text_of(buffer).substr(0, *count) ==
                                                      "object number " + name
                                 ? 0
                                 : 1;
                }
            });
        }
    }
    CHECK(wrong == 0);
    auto const fds = value_of(sys::open("/proc/self/fd", O_RDONLY | O_DIRECTORY));
    CHECK(value_of(sys::list_dir(fds.get())).size() < 350);
}

TEST_CASE("verified contents are held against their digests at first use", "[store][view]") {
    TempDir dir;
    auto const store = open_new(dir);
    auto const layers = two_layers(store);
    auto const damage = [&](std::string const& at, std::uint64_t offset) {
        auto const file = value_of(sys::openat(store.root(), at.c_str(), O_WRONLY));
        value_of(sys::pwrite_all(file.get(), base::bytes_of("X"), offset));
    };
    auto const open = [&] { return value_of(ImageView::open(store, layers, Contents::verified)); };
    auto const error = [&](ImageView const& view, std::string_view at) {
        base::Bytes buffer(4);
        auto const count = view.read(find(view, at), buffer, 0);
        REQUIRE_FALSE(count.has_value());
        CHECK(count.error().code == Errno::eio);
        return count.error().message();
    };
    SECTION("sound ones are read as ever") {
        auto const view = open();
        CHECK(read(*view, "two") == "changed");
        CHECK(read(*view, "object") == "a large object");
        CHECK(read(*view, "sparse object").size() == 16);
        CHECK(read(*view, "hole").size() == 10);
        CHECK(value_of(view->object(find(*view, "object"))) != nullptr);
    }
    SECTION("what is damaged in a pack is named, by every way to its bytes, and nothing else") {
        damage(layout::layer_pack(layers[1]), 3);
        auto const view = open();
        CHECK_THAT(error(*view, "two"), Catch::Matchers::Contains("/two: damaged in the store: " +
                                                                  layout::layer_pack(layers[1])));
        CHECK(view->mapped(find(*view, "two"), 0, 4).error().code == Errno::eio);
        CHECK(read(*view, "sparse").size() == 20);
        CHECK(read(*view, "object") == "a large object");
    }
    SECTION("so is a damaged object") {
        damage(layout::object(base::sha256("a large object")), 13);
        auto const view = open();
        CHECK_THAT(error(*view, "object"), Catch::Matchers::Contains("/object: damaged"));
        CHECK(view->object(find(*view, "object")).error().code == Errno::eio);
        CHECK_THAT(error(*view, "sparse object"), Catch::Matchers::Contains("damaged"));
        CHECK(read(*view, "two") == "changed");
    }
    SECTION("what was sound at its first use is not looked at again") {
        auto const view = open();
        CHECK(read(*view, "two") == "changed");
        damage(layout::layer_pack(layers[1]), 2);
        CHECK(read(*view, "two") == "Xhanged");
    }
}
