// SPDX-License-Identifier: MIT
#include "store/layer/zstd_source.h"

#include "tests/support/catch.h"
#include "tests/unit/layer/layer_store.h"

#include <oneapi/tbb/global_control.h>
#include <zstd.h>

using namespace oblea;
using namespace oblea::store;
using namespace oblea::test;

namespace {

// What was read before the end or an error, and the error.
struct Outcome {
    std::string text;
    std::optional<Error> error;
};

Outcome decompress(std::string_view stream, Threading threading, std::size_t step = 100'000,
                   std::size_t out_step = 65536) {
    StepSource source{stream, step};
    base::BufferedChunks chunks{source};
    auto const plain = make_zstd_source(chunks, threading);
    Outcome outcome;
    base::Bytes buffer(out_step);
    for (;;) {
        auto const count = plain->read(buffer);
        if (!count.has_value()) {
            outcome.error = count.error();
            return outcome;
        }
        if (*count == 0) {
            return outcome;
        }
        outcome.text += base::text_of(base::ByteView{buffer}.first(*count));
    }
}

std::string words(std::size_t bytes, std::uint64_t state) {
    std::string text;
    while (text.size() < bytes) {
        state = state * 6364136223846793005U + 1442695040888963407U;
        text += std::to_string(state % 100'000) + " frame ";
    }
    text.resize(bytes);
    return text;
}

// A frame that says how much it holds.
std::string frame_of(std::string const& text) {
    std::string frame(ZSTD_compressBound(text.size()), '\0');
    frame.resize(ZSTD_compress(frame.data(), frame.size(), text.data(), text.size(), 3));
    return frame;
}

std::string skippable(std::size_t bytes) {
    std::string frame{"\x53\x2a\x4d\x18", 4};
    for (unsigned i = 0; i < 4; ++i) {
        frame += static_cast<char>(bytes >> (8 * i) & 0xffU);
    }
    return frame + std::string(bytes, 's');
}

}  // namespace

TEST_CASE("frames of every kind give what they hold, in order", "[layer][zstd]") {
    std::string text;
    std::string stream;
    for (std::uint64_t round = 0; round < 3; ++round) {
        for (std::size_t const bytes : {0U, 1U, 900U, 70'000U, 300'000U, 40U, 3'000'000U}) {
            std::string const part = words(bytes, round * 10 + bytes);
            text += part;
            stream += frame_of(part);
        }
        std::string const unsized = words(5000, round);  // libarchive does not say how much
        text += unsized;
        stream += skippable(round == 1 ? 1'500'000 : 10) + compressed(Compression::zstd, unsized);
    }
    auto const step = GENERATE(std::size_t{999}, std::size_t{65536}, std::size_t{100'000'000});
    auto const out_step = GENERATE(std::size_t{777}, std::size_t{512U << 10U});
    auto const threads = GENERATE(std::size_t{1}, std::size_t{4});
    tbb::global_control const bound{tbb::global_control::max_allowed_parallelism, threads};
    for (Threading const threading : {Threading::caller, Threading::own}) {
        auto const outcome = decompress(stream, threading, step, out_step);
        CHECK_FALSE(outcome.error.has_value());
        CHECK((outcome.text == text));
    }
}

TEST_CASE("a stream of small frames that is cut anywhere is an error", "[layer][zstd]") {
    std::string const stream = frame_of("first") + skippable(3) + frame_of(words(500, 1));
    for (std::size_t size = 1; size < stream.size(); ++size) {
        CAPTURE(size);
        auto const one = decompress(std::string_view{stream}.substr(0, size), Threading::caller);
        auto const many = decompress(std::string_view{stream}.substr(0, size), Threading::own);
        bool const between = size == frame_of("first").size() ||
                             size == frame_of("first").size() + skippable(3).size();
        REQUIRE(one.error.has_value() == !between);
        REQUIRE(many.error.has_value() == !between);
        REQUIRE((between || many.error->message() == one.error->message()));
    }
}

TEST_CASE("a damaged frame among many is named by its place", "[layer][zstd]") {
    std::string good;
    std::string before;
    for (std::uint64_t i = 0; i < 400; ++i) {
        before += words(20'000, i);
        good += frame_of(words(20'000, i));
    }
    std::string bad = frame_of(words(20'000, 7));
    bad[bad.size() / 2] = static_cast<char>(bad[bad.size() / 2] ^ 0x55);
    bad[5] = static_cast<char>(bad[5] ^ 1);  // its size
    auto const outcome = decompress(good + bad + frame_of("last"), Threading::own);
    REQUIRE(outcome.error.has_value());
    CHECK(outcome.error->code == Errno::einval);
    CHECK(outcome.error->message().contains("near byte"));
    CHECK((before.starts_with(outcome.text)));
    // What was in the batch of the damaged one is lost, and no more.
    CHECK(outcome.text.size() < before.size());
    CHECK(outcome.text.size() + 3'000'000 > before.size());
}

TEST_CASE("a frame that holds more or less than it says is damaged", "[layer][zstd]") {
    std::string const text = words(70'000, 3);
    std::string frame = frame_of(text);
    REQUIRE(ZSTD_getFrameContentSize(frame.data(), frame.size()) == text.size());
    int const change = GENERATE(-3, 3);
    std::size_t const field = (static_cast<unsigned char>(frame[4]) & 0x20U) != 0 ? 5 : 6;
    frame[field] = static_cast<char>(frame[field] + change);
    auto const threading = GENERATE(Threading::caller, Threading::own);
    CHECK(decompress(frame + frame, threading).error.has_value());
}

TEST_CASE("a stream may be left in the middle", "[layer][zstd]") {
    std::string stream;
    for (std::uint64_t i = 0; i < 100; ++i) {
        stream += frame_of(words(100'000, i));
    }
    StepSource source{stream, 65536};
    base::BufferedChunks chunks{source};
    auto const plain = make_zstd_source(chunks, Threading::own);
    base::Bytes buffer(10);
    CHECK(plain->read(buffer).value() == 10);
}
