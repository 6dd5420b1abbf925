// SPDX-License-Identifier: MIT
#include "store/image/image_view.h"
#include "store/image/import_image.h"
#include "store/layer/framed_pack.h"
#include "store/layer/import_layer.h"
#include "store/layer/layout.h"
#include "store/repair.h"
#include "store/shared_store.h"
#include "store/verify.h"
#include "tests/support/catch.h"
#include "tests/support/random.h"
#include "tests/support/temp_dir.h"
#include "tests/unit/store/packed_layout.h"

#include <filesystem>

using namespace oblea;
using namespace oblea::store;
using namespace oblea::test;
namespace sys = oblea::base::sys;
namespace files = std::filesystem;

namespace {

using Packs = PublishRequest::Packs;

std::string numbers(std::size_t bytes, std::string const& word) {
    std::string text;
    for (int i = 0; text.size() < bytes; ++i) {
        text += word + std::to_string(i);
    }
    text.resize(bytes);
    return text;
}

// The lower pack is worth compressing, the upper one is not.
struct Published {
    TempDir dir;
    TestImage image = image_of_layers({tar_of({{"one", numbers(50'000, "line ")},
                                               {"two", numbers(60'000, "row ")},
                                               {"large", std::string(100'000, 'x')}}),
                                       tar_of({{"three", "few"}})});
    Store store = value_of(Store::open(dir / "store", Store::Create::if_missing));
    std::string folder = dir / "shared";

    explicit Published(Packs packs) {
        write_file(dir / "x.tar", tar_of(docker_archive(image, {"debian:12"})));
        ImportRequest request;
        request.source = dir / "x.tar";
        value_of(import_image(store, request, {}));
        publish(store, folder, packs);
    }

    static PublishReport publish(Store const& from, std::string const& to, Packs packs) {
        Lease const lease = value_of(from.take_lease("publish"));
        PublishRequest request{.folder = to, .images = value_of(from.images()).all()};
        request.packs = packs;
        return value_of(publish_into(from, request));
    }
    [[nodiscard]] Digest layer(std::size_t position) const {
        return base::sha256(image.layers[position]);
    }
    [[nodiscard]] std::string path(std::string const& relative) const {
        return folder + '/' + relative;
    }
    [[nodiscard]] std::vector<Fault>
    faults(VerifyOptions::Depth depth = VerifyOptions::Depth::contents) const {
        auto const shared = value_of(read_shared_store(folder));
        return value_of(verify_shared_store(shared, {.depth = depth, .jobs = 1}, {})).faults;
    }
    // A store without images of its own, which looks there.
    [[nodiscard]] Store reader() const {
        return value_of(
            Store::open({.path = dir / "reader", .shared = {folder}}, Store::Create::if_missing));
    }
};

class TextSink final : public TarSink {
public:
    Status write(base::ByteView data) override {
        text += base::text_of(data);
        return {};
    }
    std::string text;
};

std::string tar_from(Roots const& roots, Digest const& layer) {
    TextSink sink;
    value_of(export_layer(roots, layer, sink));
    return sink.text;
}

Result<std::string> read(ImageView const& view, std::string_view at) {
    auto const ino = *value_of(view.tree().resolve(path(at)));
    base::Bytes buffer(200'000);
    std::size_t const count = OBLEA_TRY(view.read(ino, buffer, 0));
    return std::string{base::text_of(buffer).substr(0, count)};
}

std::string contents_of(std::string const& path) {
    return value_of(sys::read_file(AT_FDCWD, path.c_str(), 1U << 30U));
}

void flip(std::string const& path, std::uint64_t bit) {
    std::string text = contents_of(path);
    text[bit / 8] = static_cast<char>(text[bit / 8] ^ (1 << (bit % 8)));
    write_file(path, text);
}

}  // namespace

TEST_CASE("a published layer has its pack in frames where that is wanted and pays",
          "[store][publish]") {
    Packs const packs = GENERATE(Packs::plain, Packs::framed);
    Published const shared{packs};
    bool const framed = packs == Packs::framed;
    std::string const lower = shared.path(layout::layer(shared.layer(0)));
    std::string const upper = shared.path(layout::layer(shared.layer(1)));
    CHECK(files::exists(lower + "/pack.zst") == framed);
    CHECK(files::exists(lower + "/pack") != framed);
    CHECK(files::exists(upper + "/pack"));
    CHECK_FALSE(files::exists(upper + "/pack.zst"));
    if (framed) {
        CHECK(files::file_size(lower + "/pack.zst") < 60'000);
        CHECK((files::status(lower + "/pack.zst").permissions() & files::perms::mask) ==
              files::perms{0644});
    }
    CHECK(shared.faults().empty());
    CHECK(shared.faults(VerifyOptions::Depth::structure).empty());

    // Whoever reads sees the same.
    Store const reader = shared.reader();
    auto const view = value_of(ImageView::open(reader, value_of(reader.images()).all().front()));
    CHECK(read(*view, "one").value() == numbers(50'000, "line "));
    CHECK(read(*view, "two").value() == numbers(60'000, "row "));
    CHECK(read(*view, "three").value() == "few");
    CHECK(tar_from(reader.roots(), shared.layer(0)) == shared.image.layers[0]);
    CHECK(value_of(has_layer(reader.roots(), shared.layer(0))));
}

TEST_CASE("what is published stays in its form, and takes the wanted one elsewhere",
          "[store][publish]") {
    Packs const packs = GENERATE(Packs::plain, Packs::framed);
    Packs const other = packs == Packs::plain ? Packs::framed : Packs::plain;
    Published const shared{packs};
    auto const report = Published::publish(shared.store, shared.folder, other);
    CHECK(report.layers_new == 0);
    CHECK(report.layers_known == 2);
    CHECK(files::exists(shared.path(layout::layer_pack(shared.layer(0)))) ==
          (packs == Packs::plain));

    // From one published store into another one.
    std::string const second = shared.dir / "second";
    Published::publish(shared.reader(), second, other);
    std::string const pack = second + '/' + layout::layer_pack(shared.layer(0));
    std::string const frames = second + '/' + layout::layer_framed_pack(shared.layer(0));
    CHECK(files::exists(frames) == (other == Packs::framed));
    CHECK(files::exists(pack) == (other == Packs::plain));
    auto const again = value_of(read_shared_store(second));
    CHECK(value_of(verify_shared_store(again, {.jobs = 1}, {})).faults.empty());
    CHECK(tar_from(again.root.get(), shared.layer(0)) == shared.image.layers[0]);
    if (other == Packs::plain) {
        CHECK(contents_of(pack) ==
              contents_of(shared.store.path() + '/' + layout::layer_pack(shared.layer(0))));
    }
}

TEST_CASE("a damaged framed pack is found, read as an error, and mended by publishing again",
          "[store][publish]") {
    Published const shared{Packs::framed};
    std::string const name = layout::layer_framed_pack(shared.layer(0));
    std::string const frames = shared.path(name);
    std::string const sound = contents_of(frames);
    auto const view_error = [&] {
        Store const reader = shared.reader();
        auto const view =
            value_of(ImageView::open(reader, value_of(reader.images()).all().front()));
        auto const failed = read(*view, "one");
        CHECK(read(*view, "three").value() == "few");
        return failed.error();
    };
    auto const expect_fault = [&](VerifyOptions::Depth depth) {
        auto const faults = shared.faults(depth);
        REQUIRE(faults.size() == 1);
        CHECK(faults[0].path == name);
        CHECK(faults[0].state == Fault::State::damaged);
        CHECK(faults[0].images == std::vector{shared.image.id()});
    };
    SECTION("a bit of a frame") {
        flip(frames, 800);
        expect_fault(VerifyOptions::Depth::contents);
        auto const error = view_error();
        CHECK(error.code == Errno::eio);
        CHECK_THAT(error.message(), Catch::Matchers::Contains(name + ": frame 0"));
    }
    SECTION("a bit of the table") {
        flip(frames, (sound.size() - 1) * 8);
        expect_fault(VerifyOptions::Depth::structure);
        Store const reader = shared.reader();
        auto const view = ImageView::open(reader, value_of(reader.images()).all().front());
        REQUIRE_FALSE(view.has_value());
        CHECK_THAT(view.error().message(), Catch::Matchers::Contains(name));
    }
    SECTION("frames of other contents") {
        // Whole by itself: of another store, say.
        std::string const plain = numbers(110'000, "other ");
        auto const file = value_of(sys::open(frames, O_RDWR | O_TRUNC));
        value_of(write_framed_pack(
            [&](base::MutableBytes buffer, std::uint64_t at) -> Status {
                std::ranges::copy(
                    base::bytes_of(plain).subspan(static_cast<std::size_t>(at), buffer.size()),
                    buffer.begin());
                return {};
            },
            plain.size(), file.get(), nullptr));
        expect_fault(VerifyOptions::Depth::contents);
    }
    SECTION("it is missing") {
        value_of(sys::unlinkat(AT_FDCWD, frames.c_str()));
        auto const faults = shared.faults(VerifyOptions::Depth::structure);
        REQUIRE(faults.size() == 1);
        CHECK(faults[0].state == Fault::State::missing);
    }
    value_of(sys::unlink_if_exists(AT_FDCWD, frames.c_str()));
    auto const report = Published::publish(shared.store, shared.folder, Packs::framed);
    CHECK(report.layers_new == 1);
    CHECK(contents_of(frames) == sound);
    CHECK(shared.faults().empty());
}

TEST_CASE("a store is repaired from a published one, and its packs are plain as ever",
          "[store][publish]") {
    Published const shared{GENERATE(Packs::plain, Packs::framed)};
    std::string const root = shared.store.path() + '/';
    std::string const pack = root + layout::layer_pack(shared.layer(0));
    std::string const sound = contents_of(pack);
    auto const object = layout::object(base::sha256(std::string(100'000, 'x')));
    flip(pack, 77);
    flip(root + object, 5);
    flip(root + layout::blob(shared.image.id()), 9);
    value_of(sys::unlinkat(AT_FDCWD, (root + layout::layer_recipe(shared.layer(1))).c_str()));
    auto const found = value_of(verify_store(shared.store, {.jobs = 1}, {}));
    CHECK(found.faults.size() == 4);
    auto const report =
        value_of(repair_store(shared.store, found, {.from = {shared.folder}, .jobs = 1}));
    CAPTURE(report.messages);
    CHECK(report.left.empty());
    CHECK(contents_of(pack) == sound);
    CHECK_FALSE(files::exists(root + layout::layer_framed_pack(shared.layer(0))));
}

TEST_CASE("a layer with both packs is read by the plain one", "[store][publish]") {
    Published const shared{Packs::framed};
    write_file(shared.path(layout::layer_pack(shared.layer(0))),
               contents_of(shared.store.path() + '/' + layout::layer_pack(shared.layer(0))));
    write_file(shared.path(layout::layer_framed_pack(shared.layer(0))), "anything");
    CHECK(shared.faults().empty());
    Store const reader = shared.reader();
    CHECK(tar_from(reader.roots(), shared.layer(0)) == shared.image.layers[0]);
}
