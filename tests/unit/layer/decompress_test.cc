// SPDX-License-Identifier: MIT
#include "store/layer/decompress.h"

#include "tests/support/catch.h"
#include "tests/unit/layer/layer_store.h"

#include <isa-l/crc.h>

using namespace oblea;
using namespace oblea::store;
using namespace oblea::test;

namespace {

Result<std::string> try_decompress(Compression kind, std::string_view stream,
                                   std::size_t step = 4096, std::size_t out_step = 4096) {
    StepSource source{stream, step};
    base::BufferedChunks chunks{source};
    auto const plain = make_decompressor(kind, chunks);
    std::string text;
    base::Bytes buffer(out_step);
    for (;;) {
        std::size_t const count = OBLEA_TRY(plain->read(buffer));
        if (count == 0) {
            return text;
        }
        text += base::text_of(base::ByteView{buffer}.first(count));
    }
}

Result<std::string> decompress(Compression kind, std::string_view stream, std::size_t step = 4096,
                               std::size_t out_step = 4096) {
    auto outcome = try_decompress(kind, stream, step, out_step);
    UNSCOPED_INFO((outcome.has_value() ? "no error" : outcome.error().message()));
    return outcome;
}

std::string sample(std::size_t bytes) {
    std::string text;
    std::uint64_t state = 1;
    while (text.size() < bytes) {
        state = state * 6364136223846793005U + 1442695040888963407U;
        text += std::to_string(state % 1000) + (state % 3 == 0 ? " layer " : "\n");
    }
    text.resize(bytes);
    return text;
}

std::string skippable(std::string const& text) {
    std::string frame{"\x53\x2a\x4d\x18", 4};
    std::uint32_t const size = static_cast<std::uint32_t>(text.size());
    for (unsigned i = 0; i < 4; ++i) {
        frame += static_cast<char>(size >> (8 * i) & 0xffU);
    }
    return frame + text;
}

}  // namespace

TEST_CASE("compression is told by the first bytes", "[layer][decompress]") {
    auto const detect = [](std::string_view head) {
        return detect_compression(base::bytes_of(head));
    };
    CHECK(detect("\x1f\x8b\x08...") == Compression::gzip);
    CHECK(detect("\x28\xb5\x2f\xfd..") == Compression::zstd);
    CHECK(detect("\x50\x2a\x4d\x18..") == Compression::zstd);
    CHECK(detect("\x5f\x2a\x4d\x18..") == Compression::zstd);
    CHECK(detect("\x60\x2a\x4d\x18..") == Compression::none);
    CHECK(detect("") == Compression::none);
    CHECK(detect("etc/") == Compression::none);
    CHECK(foreign_compression(base::bytes_of({"\xfd\x37\x7a\x58\x5a\0", 6})) == "xz");
    CHECK(foreign_compression(base::bytes_of("etc/")).empty());
}

TEST_CASE("members and frames are decompressed one after the other", "[layer][decompress]") {
    auto const kind = GENERATE(Compression::gzip, Compression::zstd);
    auto const step = GENERATE(std::size_t{1}, std::size_t{7}, std::size_t{65536});
    auto const out_step = GENERATE(std::size_t{1}, std::size_t{333}, std::size_t{65536});
    std::string const one = sample(20000);
    std::string const two = sample(1);
    std::string stream;
    for (std::string const& text : {one, two, std::string{}, two, one}) {
        stream += compressed(kind, text);
    }
    CHECK(decompress(kind, stream, step, out_step).value() == one + two + two + one);
}

TEST_CASE("gzip may have a header of many parts", "[layer][decompress]") {
    std::string const member = compressed(Compression::gzip, "text");
    std::string header = member.substr(0, 10);
    header[3] = 2 | 4 | 8 | 16;  // checksum, extra field, name, comment
    header += std::string{"\x03\0abc", 5} + std::string{"name\0comment\0", 13};
    std::uint32_t const sum =
        crc32_gzip_refl(0, base::uchars_of(base::bytes_of(header)), header.size());
    header += static_cast<char>(sum & 0xffU);
    header += static_cast<char>(sum >> 8U & 0xffU);
    auto const step = GENERATE(std::size_t{1}, std::size_t{5}, std::size_t{4096});
    CHECK(decompress(Compression::gzip, header + member.substr(10), step).value() == "text");
    header.back() = static_cast<char>(header.back() ^ 1);
    CHECK_FALSE(decompress(Compression::gzip, header + member.substr(10), step).has_value());
    for (std::size_t size = 1; size < header.size(); ++size) {
        CHECK_FALSE(decompress(Compression::gzip, header.substr(0, size), step).has_value());
    }
}

TEST_CASE("gzip may be padded with zero bytes, and with nothing else", "[layer][decompress]") {
    std::string const member = compressed(Compression::gzip, "text");
    CHECK(decompress(Compression::gzip, member + std::string(9000, '\0')).value() == "text");
    for (std::string const& tail :
         {std::string{"x"}, std::string{"\0x", 2}, std::string{"\x1f\x8b"}, std::string{"\x1f\x8c"},
          std::string(10000, '\0') + member}) {
        CHECK(decompress(Compression::gzip, member + tail).error().code == Errno::einval);
    }
}

TEST_CASE("zstd frames that are to be skipped are skipped", "[layer][decompress]") {
    std::string const frame = compressed(Compression::zstd, "text");
    std::string const stream = skippable("") + frame + skippable("note") + frame + skippable("end");
    auto const step = GENERATE(std::size_t{1}, std::size_t{4096});
    CHECK(decompress(Compression::zstd, stream, step).value() == "texttext");
    CHECK(decompress(Compression::zstd, frame + "tail").error().code == Errno::einval);
    CHECK(decompress(Compression::zstd, frame + std::string(4, '\0')).error().code ==
          Errno::einval);
}

TEST_CASE("a zstd window past the limit is refused", "[layer][decompress]") {
    // Frame header: no content size, window descriptor for 2^31 bytes; then an empty last block.
    std::string const frame{"\x28\xb5\x2f\xfd\x00\xa8\x01\x00\x00", 9};
    auto const outcome = decompress(Compression::zstd, frame);
    CHECK(outcome.error().code == Errno::e2big);
}

TEST_CASE("a stream cut anywhere is an error", "[layer][decompress]") {
    auto const kind = GENERATE(Compression::gzip, Compression::zstd);
    std::string const whole = compressed(kind, sample(3000));
    for (std::size_t size = 1; size < whole.size(); ++size) {
        CAPTURE(size);
        auto const outcome = decompress(kind, std::string_view{whole}.substr(0, size), 100, 100);
        REQUIRE_FALSE(outcome.has_value());
        REQUIRE(outcome.error().code == Errno::einval);
    }
}

TEST_CASE("a flipped bit never gives other bytes without an error", "[layer][decompress]") {
    auto const kind = GENERATE(Compression::gzip, Compression::zstd);
    std::string const text = sample(2000);
    std::string const whole = compressed(kind, text);
    // libarchive's zstd frames carry no checksum: a flip in their literals is for the digests to
    // find. Here it counts that nothing worse happens.
    std::size_t undetected = 0;
    for (std::size_t bit = 0; bit < whole.size() * 8; ++bit) {
        std::string flipped = whole;
        flipped[bit / 8] = static_cast<char>(flipped[bit / 8] ^ (1 << bit % 8));
        auto const outcome = decompress(kind, flipped, bit % 2 == 0 ? 4096 : 61);
        undetected += outcome.has_value() && *outcome != text ? 1U : 0U;
    }
    CHECK((kind == Compression::zstd || undetected == 0));
}
