// SPDX-License-Identifier: MIT
#include "store/gc.h"

#include "store/gc_plan.h"
#include "store/image/image_view.h"
#include "store/publish.h"
#include "tests/support/catch.h"
#include "tests/support/temp_dir.h"
#include "tests/unit/store/fake_layers.h"

#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>

using namespace oblea;
using namespace oblea::store;
using namespace oblea::test;
namespace sys = oblea::base::sys;

namespace {

constexpr Timestamp kEarly{100, 0};
constexpr Timestamp kLate{200, 0};

StoreItem item(Garbage::Kind kind, std::string const& name, Timestamp changed = kEarly) {
    return {{kind, name, 10}, base::sha256(name), changed};
}

std::vector<std::string> paths(GcReport const& report) {
    std::vector<std::string> list;
    for (Garbage const& garbage : report.removed) {
        list.push_back(garbage.path);
    }
    return list;
}

Store open_new(TempDir const& dir) {
    return value_of(Store::open(dir / "store", Store::Create::if_missing));
}

bool exists(Store const& store, std::string const& path) {
    return value_of(sys::stat_if_exists(store.root(), path.c_str())).has_value();
}

// Two images that share a layer; each has an object of its own.
struct TwoImages {
    explicit TwoImages(Store const& in) : store(in) {
        put_object(store, "object a");
        put_object(store, "object b");
        base = put_layer(store, "base", {packed_file("x", 0, "text")}, "text");
        top_a = put_layer(store, "a", {object_file("a", "object a")}, "");
        top_b = put_layer(store, "b", {object_file("b", "object b")}, "");
        a = image_of("a", {base, top_a});
        b = image_of("b", {base, top_b});
        put_image(store, a);
        put_image(store, b);
        value_of(ImageView::open(store, a));
        value_of(ImageView::open(store, b));
    }
    Store const& store;
    Digest base, top_a, top_b;
    Image a, b;
};

}  // namespace

TEST_CASE("gc plans to remove what is not reached, in an order that a crash may cut",
          "[store][gc]") {
    Inventory inventory;
    inventory.items = {
        item(Garbage::Kind::blob, "blob"),          item(Garbage::Kind::object, "object"),
        item(Garbage::Kind::object, "kept object"), item(Garbage::Kind::layer, "layer"),
        item(Garbage::Kind::layer, "kept layer"),   item(Garbage::Kind::temporary, "tmp"),
        item(Garbage::Kind::merged, "merged")};
    Reached reached;
    reached.layers = {base::sha256("kept layer")};
    reached.objects = {base::sha256("kept object")};
    auto const report = plan_gc(inventory, reached, {});
    CHECK(paths(report) == std::vector<std::string>{"merged", "layer", "object", "blob", "tmp"});
    CHECK(report.bytes == 50);
    CHECK(report.kept_for_leases == 0);
}

TEST_CASE("gc spares what is younger than a lease", "[store][gc]") {
    Inventory inventory;
    inventory.items = {item(Garbage::Kind::layer, "old", kEarly),
                       item(Garbage::Kind::layer, "new", kLate),
                       item(Garbage::Kind::temporary, "tmp", kLate)};
    auto const report = plan_gc(inventory, {}, {.spare_since = kLate, .only_since = {}});
    CHECK(paths(report) == std::vector<std::string>{"old"});
    CHECK(report.kept_for_leases == 2);
}

TEST_CASE("a clean-up after a failure takes only what is new and nobody else's", "[store][gc]") {
    Inventory inventory;
    inventory.items = {item(Garbage::Kind::layer, "old", kEarly),
                       item(Garbage::Kind::layer, "mine", {150, 0}),
                       item(Garbage::Kind::layer, "other's", kLate)};
    auto const report = plan_gc(inventory, {}, {.spare_since = kLate, .only_since = {{150, 0}}});
    CHECK(paths(report) == std::vector<std::string>{"mine"});
}

TEST_CASE("no object goes while a layer does not tell its own", "[store][gc]") {
    Inventory inventory;
    inventory.items = {item(Garbage::Kind::object, "object"), item(Garbage::Kind::blob, "blob")};
    Reached reached;
    reached.objects_state = Reached::Objects::unknown;
    CHECK(paths(plan_gc(inventory, reached, {})) == std::vector<std::string>{"blob"});
}

TEST_CASE("the files of a dead lease are debris, those of a held one are not", "[store][gc]") {
    Inventory inventory;
    inventory.leases = {{"leases/1.0", kEarly, LeaseItem::State::held},
                        {"leases/10.0", kEarly, LeaseItem::State::dead}};
    for (char const* path : {"leases/1.0", "leases/1.0.images", "leases/1.0.json.new.4.1",
                             "leases/10.0", "leases/10.0.json", "leases/7.1.json"}) {
        inventory.lease_files.push_back(item(Garbage::Kind::lease, path));
    }
    CHECK(paths(plan_gc(inventory, {}, {})) ==
          std::vector<std::string>{"leases/7.1.json", "leases/10.0.json", "leases/10.0"});
}

TEST_CASE("gc of a store in which everything is reached removes nothing", "[store][gc]") {
    TempDir dir;
    auto const store = open_new(dir);
    TwoImages const images{store};
    CHECK(value_of(collect_garbage(store, GcMode::remove)).removed.empty());
}

TEST_CASE("gc removes what a removed image alone had, and a dry run says the same", "[store][gc]") {
    TempDir dir;
    auto const store = open_new(dir);
    TwoImages const images{store};
    remove_image(store, images.a);
    auto const before = value_of(measure_usage(store));
    auto const dry = value_of(collect_garbage(store, GcMode::dry_run));
    CHECK(exists(store, layout::layer(images.top_a)));
    auto const report = value_of(collect_garbage(store, GcMode::remove));
    CHECK(paths(dry) == paths(report));
    CHECK(dry.bytes == report.bytes);
    CHECK(paths(report) ==
          std::vector<std::string>{layout::merged(chain_id(std::vector{images.base, images.top_a})),
                                   layout::layer(images.top_a),
                                   layout::object(base::sha256("object a"))});
    for (std::string const& path : paths(report)) {
        CHECK_FALSE(exists(store, path));
    }
    // The folder of the object goes too.
    auto const freed = before.disk_bytes - value_of(measure_usage(store)).disk_bytes;
    CHECK(freed >= report.bytes);
    CHECK(freed <= report.bytes + 4096);
    CHECK(value_of(ImageView::open(store, images.b))->tree().inode_count() == 3);
    CHECK(value_of(collect_garbage(store, GcMode::remove)).removed.empty());
}

TEST_CASE("a lease keeps what was reachable when it was taken", "[store][gc][lease]") {
    TempDir dir;
    auto const store = open_new(dir);
    TwoImages const images{store};
    auto lease = value_of(store.take_lease("mount"));
    remove_image(store, images.a);
    remove_image(store, images.b);
    SECTION("all of it at first") {
        CHECK(value_of(collect_garbage(store, GcMode::remove)).removed.empty());
    }
    SECTION("what it was narrowed to afterwards") {
        value_of(lease.narrow_to(std::vector{images.base, images.top_b}));
        auto const removed = paths(value_of(collect_garbage(store, GcMode::remove)));
        CHECK(std::ranges::find(removed, layout::layer(images.top_a)) != removed.end());
        CHECK(exists(store, layout::layer(images.top_b)));
        CHECK(exists(store, layout::object(base::sha256("object b"))));
        CHECK(exists(store, layout::merged(chain_id(std::vector{images.base, images.top_b}))));
    }
}

TEST_CASE("a lease keeps what is published while it is held", "[store][gc][lease]") {
    TempDir dir;
    auto const store = open_new(dir);
    Digest const old_layer = put_layer(store, "old", {}, "");
    Digest const reused = put_object(store, "reused object");
    ::usleep(20'000);  // more than a tick of the file system's clock
    std::optional<Lease> lease = value_of(store.take_lease("import"));
    put_layer(store, "new", {object_file("x", "reused object")}, "");
    REQUIRE(value_of(refresh_published(store.root(), layout::object(reused).c_str())));
    value_of(store.write_blob("config", base::sha256("config")));
    put_file(store, "tmp/staging", "x");
    auto const first = value_of(collect_garbage(store, GcMode::remove));
    CHECK(paths(first) == std::vector<std::string>{layout::layer(old_layer)});
    CHECK(first.kept_for_leases == 3);  // the object is reached through the young layer
    lease.reset();
    CHECK(value_of(collect_garbage(store, GcMode::remove)).removed.size() == 4);
    CHECK(value_of(sys::stat_if_exists(store.root(), "tmp/reserve")).has_value());
}

TEST_CASE("what a killed process leaves is gone after gc", "[store][gc][lease]") {
    TempDir dir;
    auto const store = open_new(dir);
    auto const before = value_of(measure_usage(store));
    pid_t const child = ::fork();
    if (child == 0) {
        auto const lease = value_of(store.take_lease("import"));
        put_layer(store, "new", {object_file("x", "object")}, "pack");
        put_object(store, "object");
        put_file(store, "tmp/staging", "x");
        put_file(store, "images.json.new.1.2", "x");
        ::_exit(0);
    }
    int status = -1;
    REQUIRE(::waitpid(child, &status, 0) == child);
    REQUIRE(status == 0);
    CHECK(value_of(collect_garbage(store, GcMode::remove)).removed.size() == 7);
    auto const after = value_of(measure_usage(store));
    CHECK(after.layers + after.objects + after.blobs == 0);
    CHECK(after.disk_bytes == before.disk_bytes);
}

TEST_CASE("a failed import is cleaned away without touching older debris", "[store][gc][lease]") {
    TempDir dir;
    auto const store = open_new(dir);
    put_layer(store, "debris", {}, "");
    ::usleep(20'000);
    auto const lease = value_of(store.take_lease("import"));
    Digest const mine = put_layer(store, "mine", {object_file("x", "object")}, "");
    put_object(store, "object");
    value_of(discard_since(store, lease));
    CHECK_FALSE(exists(store, layout::layer(mine)));
    CHECK_FALSE(exists(store, layout::object(base::sha256("object"))));
    CHECK(exists(store, layout::layer(diff_id("debris"))));
    CHECK(exists(store, lease.path()));
}

TEST_CASE("a container keeps the layers of its image", "[store][gc]") {
    TempDir dir;
    auto const store = open_new(dir);
    TwoImages const images{store};
    value_of(store.write_blob("config", base::sha256("config")));
    value_of(sys::mkdirat_if_missing(store.root(), "containers/c", 0700));
    std::string const text = "{\"image\":\"" + base::sha256("config").to_string() +
                             "\",\"layers\":[\"" + images.base.to_string() + "\",\"" +
                             images.top_a.to_string() + "\"]}";
    put_file(store, "containers/c/container.json", text);
    remove_image(store, images.a);
    CHECK(value_of(collect_garbage(store, GcMode::remove)).removed.empty());
    SECTION("one that cannot be read stops gc") {
        put_file(store, "containers/c/container.json", text.substr(0, 50));
        auto const report = collect_garbage(store, GcMode::remove);
        REQUIRE_FALSE(report.has_value());
        CHECK(report.error().code == Errno::euclean);
        CHECK(report.error().detail.contains("container c cannot be read"));
    }
    SECTION("without it they go") {
        value_of(sys::remove_tree(store.root(), "containers/c"));
        CHECK(value_of(collect_garbage(store, GcMode::remove)).removed.size() == 4);
    }
}

TEST_CASE("a damaged layer of an image keeps every object and is named", "[store][gc]") {
    TempDir dir;
    auto const store = open_new(dir);
    TwoImages const images{store};
    put_file(store, layout::layer_index(images.top_a), "damage");
    put_object(store, "object c");
    auto const report = value_of(collect_garbage(store, GcMode::remove));
    CHECK(report.removed.empty());
    REQUIRE(report.warnings.size() == 1);
    CHECK(report.warnings[0].contains(layout::layer(images.top_a)));
}

TEST_CASE("usage counts what is there", "[store][gc]") {
    TempDir dir;
    auto const store = open_new(dir);
    TwoImages images{store};
    images.a.size_bytes = 5;
    remove_image(store, images.a);
    put_image(store, images.a);
    auto const usage = value_of(measure_usage(store));
    CHECK(usage.images == 2);
    CHECK(usage.layers == 3);
    CHECK(usage.objects == 2);
    CHECK(usage.blobs == 0);
    CHECK(usage.containers == 0);
    CHECK(usage.referenced_bytes == 5);
    CHECK(usage.pack_bytes > 0);
    CHECK(usage.merged_bytes > 0);
    CHECK(usage.disk_bytes >= usage.pack_bytes + usage.index_bytes + usage.object_bytes +
                                  usage.merged_bytes + (1U << 20U));
}
