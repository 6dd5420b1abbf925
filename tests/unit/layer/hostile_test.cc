// SPDX-License-Identifier: MIT
// Archives that are broken, or mean harm: one message, and a store without a trace of them.
#include "store/base/limits.h"
#include "tests/support/catch.h"
#include "tests/unit/layer/layer_store.h"
#include "tests/unit/layer/tar_builder.h"

using namespace oblea;
using namespace oblea::store;
using namespace oblea::test;
using Catch::Matchers::Contains;

namespace {

// A store that has a layer already, so that there is something to harm.
struct Victim {
    Victim() {
        REQUIRE(import_text(store, TarBuilder{}.file("kept", "text").end()).has_value());
        before = store.listing();
    }
    std::string refuse(std::string const& stream, LayerClaims const& claims = {}) {
        auto const layer = import_text(store, stream, claims, {.object_threshold_bytes = 8});
        REQUIRE_FALSE(layer.has_value());
        CHECK(store.listing() == before);
        std::string message = layer.error().message();
        CHECK(message.find('\n') == std::string::npos);
        return message;
    }
    LayerStore store;
    std::vector<std::string> before;
};

std::string after_a_file(TarBuilder const& tail) {
    return TarBuilder{}.file("first", "the content of an object").raw(tail.bytes()).end();
}

std::string with_size(std::string const& size) {
    return after_a_file(TarBuilder{}.member({.name = "big", .size = size}));
}

}  // namespace

TEST_CASE("a hostile member is named with its place, and leaves no trace", "[layer][hostile]") {
    auto const [tar, message] = GENERATE(table<std::string, std::string>({
        {after_a_file(TarBuilder{}.file("../out", "x")), "leaves its root"},
        {after_a_file(TarBuilder{}.file("a/../../out", "x")), "leaves its root"},
        {after_a_file(TarBuilder{}.hard_link("a", "../../etc/passwd")), "leaves its root"},
        {after_a_file(TarBuilder{}.hard_link("a", "")), "hard link to the root"},
        {after_a_file(TarBuilder{}.hard_link("a", "a")), "itself"},
        {after_a_file(TarBuilder{}.soft_link("a", "")), "link to nothing"},
        {after_a_file(TarBuilder{}.soft_link(".", "/etc")), "root of a layer"},
        {after_a_file(
             TarBuilder{}.file("/", "x").member({.name = "./", .type = '2', .link_name = "/"})),
         "root of a layer"},
        {after_a_file(TarBuilder{}.soft_link("etc", "/").file("etc/passwd", "x")), "etc"},
        {after_a_file(TarBuilder{}.soft_link("etc", "/").file("etc/.wh.passwd", "")), "etc"},
        {after_a_file(TarBuilder{}.file("d/.wh.", "")), "names nothing"},
        {after_a_file(TarBuilder{}.file("d/.wh...", "")), "names nothing"},
        {after_a_file(TarBuilder{}.file("", "x")), "without a name"},
        {after_a_file(TarBuilder{}.file(std::string(60, 'd') + "/" + "n\x1b[31m/../..", "x")),
         "leaves its root"},
        {after_a_file(TarBuilder{}.gnu_long('L', std::string(300, 'n')).file("n", "")),
         "255 bytes"},
        {after_a_file(TarBuilder{}.member({.name = "m", .type = 'M'})), "multi-volume"},
        {after_a_file(TarBuilder{}.member({.name = "c", .checksum = TarFields::Checksum::wrong})),
         "checksum is wrong"},
        {after_a_file(TarBuilder{}.member({.name = "u", .uid = "abcdefg"})), "uid"},
        {after_a_file(
             TarBuilder{}.member({.name = "u", .uid = base256(std::int64_t{1} << 33U, 8)})),
         "32 bits"},
        {with_size(base256(std::int64_t{1} << 60U, 12)), "before the end of its contents"},
        {with_size(base256(-1, 12)), "negative size"},
        {with_size(std::string{"\x80\x01"} + std::string(10, '\0')), "does not fit 64 bits"},
        {with_size("00077777777"), "before the end of its contents"},
        {after_a_file(TarBuilder{}.pax({{"size", "1152921504606846976"}}).file("f", "x")),
         "before the end"},
        {after_a_file(TarBuilder{}.pax({{"size", "18446744073709551615"}}).file("f", "x")),
         "a size of"},
        {after_a_file(TarBuilder{}.pax({{"size", "18446744073709551616"}}).file("f", "x")),
         "not a number"},
        {after_a_file(TarBuilder{}.member(
             {.name = "x", .type = 'x', .size = base256(std::int64_t{1} << 60U, 12)})),
         "extension header"},
        {after_a_file(TarBuilder{}.member({.name = "x", .type = 'L', .size = "77777777777"})),
         "extension header"},
        {after_a_file(TarBuilder{}.pax({{"path", "x"}})), "extension header"},
        {after_a_file(TarBuilder{}
                          .pax({{"GNU.sparse.major", "1"},
                                {"GNU.sparse.minor", "0"},
                                {"GNU.sparse.realsize", "9"}})
                          .file("f", std::string{"99999999\n0\n"} + std::string(501, '0'))),
         "pieces"},
        {after_a_file(TarBuilder{}
                          .pax({{"GNU.sparse.major", "1"},
                                {"GNU.sparse.minor", "0"},
                                {"GNU.sparse.realsize", "9"}})
                          .file("f", std::string(512, '1'))),
         "malformed"},
        {after_a_file(TarBuilder{}
                          .pax({{"GNU.sparse.size", "10"}, {"GNU.sparse.map", "0,1,5,100"}})
                          .file("f", "x")),
         "out of order or past its end"},
        {after_a_file(TarBuilder{}.pax({{"GNU.sparse.map", "0,1"}}).file("f", "x")),
         "without its size"},
    }));
    Victim victim;
    std::string const said = victim.refuse(tar);
    CAPTURE(said);
    CHECK_THAT(said, Contains(message));
    CHECK_THAT(said, Contains("byte "));
    CHECK(said.find('\x1b') == std::string::npos);
}

TEST_CASE("a pax header past the limit is refused before it is read", "[layer][hostile]") {
    Victim victim;
    std::string const size = octal(limits::kTarHeaderBytesMax + 1, 11);
    CHECK_THAT(
        victim.refuse(after_a_file(TarBuilder{}.member({.name = "p", .type = 'x', .size = size}))),
        Contains("at most 16777216"));
}

TEST_CASE("claims that do not hold are refused", "[layer][hostile]") {
    auto const kind = GENERATE(Compression::none, Compression::gzip, Compression::zstd);
    std::string const tar = TarBuilder{}.file("a", "the content of an object").end();
    std::string const stream = kind == Compression::none ? tar : compressed(kind, tar);
    Victim victim;
    CHECK_THAT(victim.refuse(stream, {.blob = base::sha256("other")}), Contains("digest"));
    CHECK_THAT(victim.refuse(stream, {.blob_bytes = stream.size() - 1}), Contains("longer"));
    CHECK_THAT(victim.refuse(stream, {.blob_bytes = stream.size() + 1}), Contains("bytes"));
    CHECK_THAT(victim.refuse(stream, {.diff_id = base::sha256("other")}), Contains("tar"));
    CHECK(import_text(victim.store, stream,
                      {.blob = base::sha256(stream),
                       .blob_bytes = stream.size(),
                       .diff_id = base::sha256(tar)})
              .has_value());
}

TEST_CASE("a layer cut anywhere is refused", "[layer][hostile]") {
    auto const kind = GENERATE(Compression::none, Compression::gzip, Compression::zstd);
    std::string const tar = TarBuilder{}
                                .folder("d")
                                .pax({{"mtime", "1.5"}})
                                .file("d/f", "the content of an object")
                                .gnu_long('L', "d/g")
                                .file("x", "small")
                                .end();
    std::string const stream = kind == Compression::none ? tar : compressed(kind, tar);
    Victim victim;
    // Without a digest a tar that ends after a member cannot be told from a whole one.
    LayerClaims const claims{.diff_id = base::sha256(tar)};
    for (std::size_t size = 0; size < stream.size(); size += size < 700 ? 1 : 61) {
        CAPTURE(size);
        auto const layer = import_text(victim.store, stream.substr(0, size), claims);
        REQUIRE_FALSE(layer.has_value());
    }
    CHECK(victim.store.listing() == victim.before);
}

TEST_CASE("a flipped bit never passes for the layer", "[layer][hostile]") {
    auto const kind = GENERATE(Compression::none, Compression::gzip, Compression::zstd);
    std::string const tar = TarBuilder{}.folder("d").file("d/f", "the content of an object").end();
    std::string const stream = kind == Compression::none ? tar : compressed(kind, tar);
    Victim victim;
    for (std::size_t bit = 3; bit < stream.size() * 8; bit += 37) {
        std::string flipped = stream;
        flipped[bit / 8] = static_cast<char>(flipped[bit / 8] ^ (1 << bit % 8));
        auto const layer = import_text(victim.store, flipped, {.blob = base::sha256(stream)});
        CAPTURE(bit);
        REQUIRE_FALSE(layer.has_value());
    }
    CHECK(victim.store.listing() == victim.before);
}

TEST_CASE("what is no tar is refused in words", "[layer][hostile]") {
    Victim victim;
    CHECK_THAT(victim.refuse(""), Contains("empty"));
    CHECK_THAT(victim.refuse("a text\n"), Contains("byte 0"));
    CHECK_THAT(victim.refuse(std::string(2000, 'x')), Contains("no tar header"));
    CHECK_THAT(victim.refuse(std::string{"\xfd\x37\x7a\x58\x5a\0", 6}), Contains("xz"));
}

TEST_CASE("limits that are set are named when a layer goes past them", "[layer][hostile]") {
    std::string const tar = TarBuilder{}
                                .folder("a")
                                .folder("a/b")
                                .pax({{"SCHILY.xattr.user.x", "0123456789"}})
                                .file("a/b/c", std::string(5000, 'x'))
                                .end();
    auto const [word, named] = GENERATE(table<std::string, std::string>({
        {"entries=2",
         "a/b/c: past the limit entries = 2 (--layer-limit entries=NUMBER sets another)"},
        {"depth=2", "a/b/c: past the limit depth = 2"},
        {"file_bytes=4999", "a/b/c: past the limit file_bytes = 4999"},
        {"layer_bytes=5000", "a/b/c: past the limit layer_bytes = 5000"},
        {"xattr_bytes=15", "a/b/c: past the limit xattr_bytes = 15"},
    }));
    CAPTURE(word);
    LayerImportOptions options;
    options.limits = parse_layer_limits({word}).value();
    Victim victim;
    StepSource source{tar, 1000};
    auto const layer = import_layer(victim.store.root(), source, {}, options);
    REQUIRE_FALSE(layer.has_value());
    CHECK(layer.error().code == Errno::e2big);
    CHECK_THAT(layer.error().message(), Contains(named));
    CHECK(victim.store.listing() == victim.before);
    std::string const name = word.substr(0, word.find('='));
    options.limits = parse_layer_limits({name + "=100000"}).value();
    StepSource again{tar, 1000};
    CHECK(import_layer(victim.store.root(), again, {}, options).has_value());
}

TEST_CASE("a decompression bomb ends early", "[layer][hostile]") {
    // A file of 100 MiB of zeros.
    std::string const head =
        TarBuilder{}.member({.name = "zeros", .size = octal(100U << 20U, 11)}).bytes();
    std::string const zeros(std::size_t{1} << 20U, '\0');
    LayerImportOptions options;
    options.limits = parse_layer_limits({"ratio=2000"}).value();
    Victim victim;
    std::string stream = compressed(Compression::zstd, head);
    std::string const piece = compressed(Compression::zstd, zeros);
    for (int i = 0; i < 100; ++i) {
        stream += piece;
    }
    StepSource source{stream, 1000};
    auto const layer = import_layer(victim.store.root(), source, {}, options);
    REQUIRE_FALSE(layer.has_value());
    CHECK_THAT(layer.error().message(),
               Contains("the compressed layer: past the limit ratio = 2000"));
    CHECK(victim.store.listing() == victim.before);
}
