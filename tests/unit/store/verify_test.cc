// SPDX-License-Identifier: MIT
#include "store/verify.h"

#include "store/image/image_view.h"
#include "store/image/import_image.h"
#include "store/inventory.h"
#include "store/layer/import_layer.h"
#include "store/layer/layout.h"
#include "store/repair.h"
#include "tests/support/catch.h"
#include "tests/support/random.h"
#include "tests/support/temp_dir.h"
#include "tests/unit/store/packed_layout.h"

#include <algorithm>
#include <filesystem>

using namespace oblea;
using namespace oblea::store;
using namespace oblea::test;
namespace sys = oblea::base::sys;

namespace {

VerifyReport verify(Store const& store,
                    VerifyOptions::Depth depth = VerifyOptions::Depth::contents) {
    return value_of(verify_store(store, {.depth = depth, .jobs = 1}, {}));
}

void import_into(Store const& store, std::string const& source) {
    ImportRequest request;
    request.source = source;
    value_of(import_image(store, request, {}));
}

void flip(std::string const& path, std::uint64_t bit) {
    auto const file = value_of(sys::open(path, O_RDWR));
    base::Bytes byte(1);
    REQUIRE(value_of(sys::pread_full(file.get(), byte, bit / 8)) == 1);
    byte[0] ^= std::byte{1} << static_cast<unsigned>(bit % 8);
    value_of(sys::pwrite_all(file.get(), byte, bit / 8));
}

struct Fixture {
    TempDir dir;
    TestImage image = small_image();
    std::string const layout = write_packed_layout(dir, "layout", image, "debian:12");
    std::string const archive = [&] {
        write_file(dir / "x.tar", tar_of(docker_archive(image, {"debian:12"})));
        return dir / "x.tar";
    }();
    Store store = value_of(Store::open(dir / "store", Store::Create::if_missing));

    [[nodiscard]] std::string path(std::string const& relative) const {
        return store.path() + '/' + relative;
    }
    [[nodiscard]] std::string object() const {
        return layout::object(base::sha256(std::string(200'000, 'x') + "hello"));
    }
    [[nodiscard]] Digest layer(std::size_t position) const {
        return base::sha256(image.layers[position]);
    }
};

}  // namespace

TEST_CASE("a sound store has no faults", "[store][verify]") {
    Fixture const fixture;
    CHECK(verify(fixture.store).faults.empty());
    import_into(fixture.store, fixture.layout);
    auto const report = verify(fixture.store);
    CHECK(report.faults.empty());
    CHECK(report.bytes > 200'000);
    CHECK(verify(fixture.store, VerifyOptions::Depth::structure).faults.empty());
}

TEST_CASE("what is missing is found without reading contents, with the images that need it",
          "[store][verify]") {
    Fixture const fixture;
    import_into(fixture.store, fixture.layout);
    Digest const layer = fixture.layer(0);
    std::size_t const which = GENERATE(range(0U, 6U));
    std::string const path = std::vector{fixture.object(),
                                         layout::layer(layer),
                                         layout::layer_index(layer),
                                         layout::layer_pack(layer),
                                         layout::layer_recipe(layer),
                                         layout::blob(fixture.image.id())}[which];
    CAPTURE(path);
    value_of(sys::remove_tree(fixture.store.root(), path.c_str()));
    auto const faults = verify(fixture.store, VerifyOptions::Depth::structure).faults;
    REQUIRE(faults.size() == 1);
    CHECK(faults[0].path == path);
    CHECK(faults[0].state == Fault::State::missing);
    CHECK(faults[0].images == std::vector{fixture.image.id()});
}

TEST_CASE(
    "a bit that flips anywhere is found, and repaired from the kept blobs, another store or an "
    "archive",
    "[store][verify]") {
    Fixture const fixture;
    import_into(fixture.store, fixture.layout);
    Store const other = value_of(Store::open(fixture.dir / "other", Store::Create::if_missing));
    import_into(other, fixture.layout);

    // Every file that has a digest or checksum, by its share of bytes and by its kind.
    std::vector<std::string> paths;
    for (StoreItem const& item : value_of(take_inventory(fixture.store.root())).items) {
        std::string const full = fixture.path(item.item.path);
        if (std::filesystem::is_regular_file(full)) {
            paths.push_back(item.item.path);
            continue;
        }
        for (auto const& entry : std::filesystem::directory_iterator{full}) {
            paths.push_back(item.item.path + '/' + entry.path().filename().string());
        }
    }
    std::uint64_t const seed = random_seed();
    CAPTURE(seed);
    Random random{seed};
    char const* const rounds = std::getenv("OBLEA_FLIPS");
    int const times = rounds != nullptr ? std::atoi(rounds) : 150;
    for (int i = 0; i < times; ++i) {
        std::string const path = random.pick(paths);
        // A damaged merged tree was dropped; whoever mounts the image builds it again.
        value_of(ImageView::open(fixture.store, value_of(fixture.store.images()).all().front()));
        auto const bytes = std::filesystem::file_size(fixture.path(path));
        if (bytes == 0) {
            continue;
        }
        std::uint64_t const bit = random.below(bytes * 8);
        CAPTURE(path, bit);
        flip(fixture.path(path), bit);
        auto const found = verify(fixture.store);
        REQUIRE(!found.faults.empty());
        // A flip in a recipe or an index may show as several faults, but never of another file.
        bool const named = std::ranges::any_of(found.faults, [&](Fault const& fault) {
            return fault.path == path ||
                   fault.path.substr(0, fault.path.rfind('/')) == path.substr(0, path.rfind('/'));
        });
        CHECK(named);

        RepairOptions options{.from = {}, .jobs = 1};
        if (random.one_in(2)) {
            options.from.push_back(other.path());
        } else {
            options.from.push_back(fixture.layout);
        }
        auto const report = value_of(repair_store(fixture.store, found, options));
        CAPTURE(report.messages);
        REQUIRE(report.left.empty());
        CHECK(report.repaired.size() == found.faults.size());
    }
    CHECK(value_of(fixture.store.images()).all().size() == 1);
}

TEST_CASE("layers are repaired from their kept blobs, without any other source",
          "[store][verify]") {
    Fixture const fixture;
    import_into(fixture.store, fixture.layout);
    flip(fixture.path(fixture.object()), 77);
    flip(fixture.path(layout::layer_pack(fixture.layer(1))), 3);
    value_of(sys::unlinkat(fixture.store.root(), layout::layer_recipe(fixture.layer(1)).c_str()));
    auto const found = verify(fixture.store);
    CHECK(found.faults.size() == 3);
    auto const report = value_of(repair_store(fixture.store, found, {.jobs = 1}));
    CHECK(report.left.empty());
    CHECK(report.repaired.size() == 3);
}

TEST_CASE("without a source everything stays as it is", "[store][verify]") {
    Fixture const fixture;
    import_into(fixture.store, fixture.archive);
    flip(fixture.path(fixture.object()), 77);
    auto const found = verify(fixture.store);
    REQUIRE(found.faults.size() == 1);
    CHECK(found.faults[0].layers == std::vector{fixture.layer(0)});
    auto const report =
        value_of(repair_store(fixture.store, found, {.from = {fixture.dir / "nothing"}}));
    CHECK(report.repaired.empty());
    CHECK(report.left.size() == 1);
    CHECK(report.messages.size() == 1);
    CHECK(value_of(fixture.store.images()).all().size() == 1);
    CHECK(
        value_of(sys::stat_if_exists(fixture.store.root(), fixture.object().c_str())).has_value());

    // An archive of it helps.
    auto const second = value_of(repair_store(fixture.store, found, {.from = {fixture.archive}}));
    CHECK(second.left.empty());
}
