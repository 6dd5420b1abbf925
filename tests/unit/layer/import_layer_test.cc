// SPDX-License-Identifier: MIT
#include "store/layer/import_layer.h"

#include "store/index/index.h"
#include "tests/support/catch.h"
#include "tests/unit/layer/layer_store.h"
#include "tests/unit/layer/tar_builder.h"

#include <thread>

using namespace oblea;
using namespace oblea::store;
using namespace oblea::test;
using KeepBlob = LayerImportOptions::KeepBlob;

namespace {

Index open_layer(LayerStore const& store, Digest const& diff_id) {
    auto file = base::sys::openat(store.root(), layout::layer_index(diff_id).c_str(), O_RDONLY);
    return Index::open(std::move(*file), "index").value();
}

ContentView content_of(Index const& index, std::string_view path) {
    auto const ino = index.resolve(RelPath::parse(path).value()).value();
    REQUIRE(ino.has_value());
    return index.content(*ino).value();
}

std::string large(char c) {
    return std::string(100'000, c);
}

// Gives some bytes and then fails.
class FailingSource final : public base::ByteSource {
public:
    explicit FailingSource(std::string_view text) : text_(base::bytes_of(text)) {}
    Result<std::size_t> read(base::MutableBytes buffer) override {
        std::size_t const count = OBLEA_TRY(text_.read(buffer));
        if (count == 0) {
            return fail(Errno::eio, "", "the network is gone");
        }
        return count;
    }

private:
    base::MemorySource text_;
};

}  // namespace

TEST_CASE("small contents go to the pack, large ones become objects", "[layer][import]") {
    LayerStore const store;
    std::string const tar = TarBuilder{}
                                .file("one", "first")
                                .file("big", large('b'))
                                .file("two", "second")
                                .file("again", large('b'))
                                .file("empty", "")
                                .end();
    auto const layer = import_text(store, tar).value();
    CHECK(layer.entries == 5);
    CHECK(layer.content_bytes == 200'011);
    CHECK(store.read(layout::layer_pack(layer.diff_id)) == "firstsecond");
    CHECK(store.read(layout::object(base::sha256(large('b')))) == large('b'));

    Index const index = open_layer(store, layer.diff_id);
    CHECK(content_of(index, "one").kind == ContentKind::pack);
    CHECK(content_of(index, "two").pack_offset == 5);
    CHECK(content_of(index, "two").pack_check == base::xxh3_128(base::bytes_of("second")));
    CHECK(content_of(index, "big").object == base::sha256(large('b')));
    CHECK(content_of(index, "empty").kind == ContentKind::none);
    CHECK(index.object_count() == 1);
    struct stat const object =
        base::sys::fstatat(store.root(), layout::object(base::sha256(large('b'))).c_str()).value();
    CHECK((object.st_mode & 07777) == 0600);
}

TEST_CASE("long runs of zeros in objects take no space", "[layer][import]") {
    LayerStore const store;
    std::string const zeros(5'000'000, '\0');
    auto const [text, blocks_max] =
        GENERATE_REF(table<std::string, blkcnt_t>({{zeros, 300},
                                                   {"x" + zeros, 300},
                                                   {zeros + "x", 300},
                                                   {large('b') + zeros + large('c'), 900},
                                                   // Too short to cut a file for.
                                                   {large('b') + std::string(50'000, '\0'), 900}}));
    auto const layer = import_text(store, TarBuilder{}.file("big", text).end()).value();
    auto const path = layout::object(base::sha256(text));
    CHECK(store.read(path) == text);
    CHECK(export_text(store, layer.diff_id) == TarBuilder{}.file("big", text).end());
    CHECK(base::sys::fstatat(store.root(), path.c_str()).value().st_blocks <= blocks_max);
}

TEST_CASE("an object that another layer brought is stored once", "[layer][import]") {
    LayerStore const store;
    auto const first = import_text(store, TarBuilder{}.file("a", large('x')).end()).value();
    auto const second = import_text(store, TarBuilder{}.file("b", large('x')).end()).value();
    CHECK(first.diff_id != second.diff_id);
    std::size_t objects = 0;
    for (std::string const& line : store.listing()) {
        objects += line.starts_with("/objects/") && !line.ends_with('/') ? 1U : 0U;
    }
    CHECK(objects == 1);
    CHECK(export_text(store, second.diff_id) == TarBuilder{}.file("b", large('x')).end());
}

TEST_CASE("the bytes after the end of a tar belong to the layer", "[layer][import]") {
    LayerStore const store;
    std::string const tar = TarBuilder{}.file("a", "x").end() + std::string(5000, '\0') + "odd";
    auto const layer = import_text(store, compressed(Compression::gzip, tar)).value();
    CHECK(layer.diff_id == base::sha256(tar));
    CHECK(export_text(store, layer.diff_id) == tar);
}

TEST_CASE("zeros that a compressed tar lacks are found by its digest", "[layer][import]") {
    std::string const end = TarBuilder{}.file("a", "x").end();
    auto const [zeros, found] = GENERATE(table<std::size_t, bool>(
        {{0, true}, {512, true}, {22 * 512UL, true}, {23 * 512UL, false}, {100, false}}));
    CAPTURE(zeros);
    std::string const whole = end + std::string(zeros, '\0');
    LayerStore const store;
    std::string const stream = compressed(Compression::zstd, end);
    auto const layer = import_text(store, stream, {.diff_id = base::sha256(whole)},
                                   {.keep_blob = KeepBlob::compressed_only});
    REQUIRE(layer.has_value() == found);
    if (found) {
        CHECK(layer->diff_id == base::sha256(whole));
        CHECK(export_text(store, layer->diff_id) == whole);
        CHECK(layer->tar_bytes == whole.size());
        // The blob is what came.
        CHECK(store.read(layout::blob(base::sha256(stream))) == stream);
    } else {
        CHECK(layer.error().code == Errno::ebadmsg);
    }
}

TEST_CASE("blobs are kept as asked", "[layer][import]") {
    std::string const tar = TarBuilder{}.file("a", "x").end();
    auto const [keep, kind, kept] = GENERATE(table<KeepBlob, Compression, bool>({
        {KeepBlob::no, Compression::gzip, false},
        {KeepBlob::compressed_only, Compression::none, false},
        {KeepBlob::compressed_only, Compression::gzip, true},
        {KeepBlob::compressed_only, Compression::zstd, true},
        {KeepBlob::always, Compression::none, true},
    }));
    LayerStore const store;
    std::string const stream = kind == Compression::none ? tar : compressed(kind, tar);
    auto const layer = import_text(store, stream, {}, {.keep_blob = keep}).value();
    CHECK((layer.blob_state == ImportedLayer::Blob::kept) == kept);
    auto const path = layout::blob(base::sha256(stream));
    CHECK(base::sys::stat_if_exists(store.root(), path.c_str())->has_value() == kept);
    if (kept) {
        CHECK(store.read(path) == stream);
    }
}

TEST_CASE("a second import of a layer changes nothing but for a new blob", "[layer][import]") {
    LayerStore const store;
    std::string const tar = TarBuilder{}.file("a", large('y')).file("b", "x").end();
    std::string const gzip = compressed(Compression::gzip, tar);
    LayerClaims const claims{.blob = base::sha256(gzip)};
    REQUIRE(import_text(store, gzip, claims).has_value());
    auto const before = store.listing();
    auto const again = import_text(store, gzip, claims).value();
    CHECK(again.blob_state == ImportedLayer::Blob::kept);
    CHECK(store.listing() == before);
    REQUIRE(import_text(store, compressed(Compression::zstd, tar)).has_value());
    CHECK(store.listing().size() == before.size() + 1);
}

TEST_CASE("progress counts the bytes of the stream", "[layer][import]") {
    LayerStore const store;
    std::atomic<std::uint64_t> progress{0};
    std::string const tar = TarBuilder{}.file("a", large('p')).end();
    REQUIRE(import_text(store, tar, {}, {.progress_bytes = &progress}).has_value());
    CHECK(progress == tar.size());
}

TEST_CASE("an error of the stream is the import's, and nothing stays", "[layer][import]") {
    LayerStore const store;
    auto const before = store.listing();
    std::string const tar = TarBuilder{}.file("a", large('q')).bytes();
    auto const kind = GENERATE(Compression::none, Compression::gzip);
    std::string const stream = kind == Compression::none ? tar : compressed(kind, tar);
    FailingSource source{stream};
    auto const layer = import_layer(store.root(), source, {}, {});
    CHECK(layer.error().code == Errno::eio);
    CHECK_THAT(layer.error().message(), Catch::Matchers::Contains("the network is gone"));
    CHECK(store.listing() == before);
}

TEST_CASE("one thread gives the same store as several", "[layer][import]") {
    std::string const tar = TarBuilder{}.file("a", large('r')).folder("d").file("d/b", "x").end();
    std::string const stream = compressed(Compression::gzip, tar);
    LayerStore const several;
    REQUIRE(import_text(several, stream).has_value());
    ::setenv("OBLEA_THREADS", "1", 1);
    LayerStore const one;
    auto const layer = import_text(one, stream);
    ::unsetenv("OBLEA_THREADS");
    REQUIRE(layer.has_value());
    CHECK(one.listing() == several.listing());
}

TEST_CASE("imports of the same layer at once leave one layer", "[layer][import]") {
    LayerStore const store;
    TarBuilder builder;
    for (int i = 0; i < 50; ++i) {
        builder.file("f" + std::to_string(i), large(static_cast<char>('a' + i % 20)));
    }
    std::string const stream = compressed(Compression::gzip, builder.end());
    std::vector<Result<ImportedLayer>> layers(4, fail(Errno::eio));
    {
        std::vector<std::jthread> threads;
        for (auto& layer : layers) {
            threads.emplace_back([&] { layer = import_text(store, stream); });
        }
    }
    for (auto const& layer : layers) {
        REQUIRE((layer.has_value() ? "" : layer.error().message()) == "");
    }
    LayerStore const alone;
    REQUIRE(import_text(alone, stream).has_value());
    CHECK(store.listing() == alone.listing());
    CHECK(export_text(store, layers[0]->diff_id) == builder.end());
}

TEST_CASE("export names what is missing or damaged", "[layer][export]") {
    LayerStore const store;
    auto const layer =
        import_text(store, TarBuilder{}.file("a", large('s')).file("b", "small").end()).value();
    TextSink sink;
    CHECK(export_layer(store.root(), base::sha256("no such"), sink).error().code == Errno::enoent);
    SECTION("an object that is gone") {
        auto const path = layout::object(base::sha256(large('s')));
        REQUIRE(base::sys::unlinkat(store.root(), path.c_str()).has_value());
        auto const outcome = export_layer(store.root(), layer.diff_id, sink);
        CHECK(outcome.error().code == Errno::eio);
        CHECK_THAT(outcome.error().message(), Catch::Matchers::Contains(path));
    }
    SECTION("a pack with other bytes") {
        auto const path = layout::layer_pack(layer.diff_id);
        REQUIRE(
            base::sys::replace_file(store.root(), path.c_str(), "SMALL", 0600, base::sys::Sync::no)
                .has_value());
        CHECK(export_layer(store.root(), layer.diff_id, sink).error().code == Errno::euclean);
    }
    SECTION("a pack that is too short") {
        auto const path = layout::layer_pack(layer.diff_id);
        REQUIRE(
            base::sys::replace_file(store.root(), path.c_str(), "sma", 0600, base::sys::Sync::no)
                .has_value());
        CHECK(export_layer(store.root(), layer.diff_id, sink).error().code == Errno::euclean);
    }
}
