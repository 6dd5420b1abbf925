// SPDX-License-Identifier: MIT
#include "tests/support/catch.h"
#include "tests/support/temp_dir.h"
#include "tools/mount/container_name.h"
#include "tools/mount/containers.h"
#include "tools/mount/mount_info.h"

#include <set>

using namespace oblea;
using namespace oblea::tools;
using store::Digest;

namespace {

Digest digest(char fill) {
    return Digest::parse("sha256:" + std::string(64, fill)).value();
}

NewContainer wanted(std::string name) {
    store::Image image;
    image.id = digest('a');
    image.layers = {
        {.diff_id = digest('b'), .blob = digest('c'), .blob_bytes = 1, .media_type = {}}};
    return {.name = std::move(name), .image = image, .image_name = "debian:latest"};
}

}  // namespace

TEST_CASE("a container's file says what it was given", "[mount][container]") {
    Container const container{.id = std::string(64, '7'),
                              .name = "calm_hopper",
                              .image = digest('a'),
                              .image_name = "debian:latest",
                              .layers = {digest('b'), digest('c')},
                              .created = "2026-11-21T04:32:42Z",
                              .owner_ids = OwnerIds::squashed};
    auto const again = parse_container(encode_container(container));
    REQUIRE(again.has_value());
    CHECK(again->id == container.id);
    CHECK(again->name == container.name);
    CHECK(again->image == container.image);
    CHECK(again->image_name == container.image_name);
    CHECK(again->layers == container.layers);
    CHECK(again->created == container.created);
    CHECK(again->owner_ids == OwnerIds::squashed);
}

TEST_CASE("a container's file that is none is an error", "[mount][container]") {
    std::string good = encode_container({.id = std::string(64, '7'),
                                         .name = "calm_hopper",
                                         .image = digest('a'),
                                         .image_name = {},
                                         .layers = {},
                                         .created = {},
                                         .owner_ids = OwnerIds::real});
    REQUIRE(parse_container(good).has_value());
    auto const replace = [&](std::string const& from, std::string const& to) {
        std::string bad = good;
        auto const at = bad.find(from);
        REQUIRE(at != std::string::npos);
        return bad.replace(at, from.size(), to);
    };
    CHECK(parse_container("").error().code == Errno::euclean);
    CHECK(parse_container("[]").error().code == Errno::euclean);
    CHECK(parse_container(replace("7777", "../x")).error().code == Errno::euclean);
    CHECK(parse_container(replace("calm_hopper", "../../etc")).error().code == Errno::euclean);
    CHECK(parse_container(replace("\"real\"", "\"odd\"")).error().code == Errno::euclean);
    CHECK(parse_container(replace("\"version\": 1", "\"version\": 2")).error().code ==
          Errno::eopnotsupp);
}

TEST_CASE("container names follow the grammar", "[mount][container]") {
    for (char const* good : {"ab", "a.b-c_d", "9lives", "Z-"}) {
        CAPTURE(good);
        CHECK(check_container_name(good).has_value());
    }
    for (std::string const& bad :
         {std::string{}, std::string{"a"}, std::string{".a"}, std::string{"a/b"},
          std::string{"a b"}, std::string{"_a"}, std::string{"aé"}, std::string(129, 'a')}) {
        CAPTURE(bad);
        CHECK(check_container_name(bad).error().code == Errno::einval);
    }
}

TEST_CASE("generated names are legal and differ", "[mount][container]") {
    std::set<std::string> names;
    std::uint64_t const count = container_name_count() + 100;
    for (std::uint64_t i = 0; i < count; ++i) {
        names.insert(container_name(i));
    }
    CHECK(names.size() == count);
    for (std::string const& name : names) {
        REQUIRE(check_container_name(name).has_value());
    }
}

TEST_CASE("containers are made, found by name and prefix, and removed", "[mount][container]") {
    test::TempDir const dir;
    auto const store = store::Store::open(dir / "store", store::Store::Create::if_missing);
    REQUIRE(store.has_value());
    auto const named = create_container(*store, wanted("mine"));
    REQUIRE(named.has_value());
    auto const generated = create_container(*store, wanted(""));
    REQUIRE(generated.has_value());
    CHECK_FALSE(generated->name.empty());

    SECTION("a name is given once") {
        CHECK(create_container(*store, wanted("mine")).error().code == Errno::eexist);
        CHECK(create_container(*store, wanted("no/name")).error().code == Errno::einval);
        CHECK(list_containers(*store)->all.size() == 2);
    }
    SECTION("names go before ids, and prefixes must be unique") {
        CHECK(find_container(*store, "mine")->value().id == named->id);
        CHECK(find_container(*store, named->id)->value().name == "mine");
        CHECK(find_container(*store, named->id.substr(0, 20))->value().name == "mine");
        CHECK_FALSE(find_container(*store, "other")->has_value());
        CHECK_FALSE(find_container(*store, "")->has_value());
    }
    SECTION("a damaged one is named and hides no other") {
        std::string const file = store->path() + "/" + generated->folder();
        auto const folder = base::sys::open(file, O_RDONLY | O_DIRECTORY);
        REQUIRE(folder.has_value());
        REQUIRE(
            base::sys::replace_file(folder->get(), "container.json", "{", 0600, base::sys::Sync::no)
                .has_value());
        auto const list = list_containers(*store);
        REQUIRE(list.has_value());
        CHECK(list->all.size() == 1);
        REQUIRE(list->damaged.size() == 1);
        CHECK_THAT(list->damaged.front(), Catch::Matchers::Contains(generated->id));
    }
}

TEST_CASE("a mount's description survives its lease", "[mount][container]") {
    DescribedMount mount;
    mount.info.mount_point = "/srv/\xff";  // no UTF-8: shown with a replacement
    mount.info.pid = 42;
    mount.info.container = "calm_hopper";
    mount.info.notes = {"one", "two"};
    mount.device = "0:57";
    auto const again = parse_encoded_mount(encode_mount(mount));
    REQUIRE(again);
    CHECK(again->info.pid == 42);
    CHECK(again->info.container == "calm_hopper");
    CHECK(again->info.notes == mount.info.notes);
    CHECK(again->device == "0:57");
    CHECK_FALSE(parse_encoded_mount("{}"));
    CHECK_FALSE(parse_mount("{\"about\":{\"kind\":\"import\"}}"));
    CHECK(parse_mount("{\"about\":" + encode_mount(mount) + "}").has_value());
}
