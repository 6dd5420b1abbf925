// SPDX-License-Identifier: MIT
#include "store/layer/compress.h"

#include "tests/support/catch.h"
#include "tests/support/temp_dir.h"

#include "store/base/sys.h"

#include <oneapi/tbb/global_control.h>

using namespace oblea;
using namespace oblea::store;

namespace {

std::string sample(std::size_t bytes) {
    std::string text;
    for (std::uint64_t i = 0; text.size() < bytes; ++i) {
        text += "line " + std::to_string(i * i * 2654435761U) + '\n';
    }
    text.resize(bytes);
    return text;
}

struct Compressed {
    CompressedStream stream;
    std::string bytes;
};

// Written in pieces of `step` bytes.
Compressed compress(Compression compression, std::string_view text, std::size_t step) {
    test::TempDir const temp;
    std::string const path = temp.path() + "/out";
    auto const file = base::sys::open(path, O_RDWR | O_CREAT | O_EXCL).value();
    auto const sink = make_compressor(compression, file.get()).value();
    for (std::size_t i = 0; i < text.size(); i += step) {
        REQUIRE(sink->write(base::bytes_of(text.substr(i, step))).has_value());
    }
    auto const stream = sink->finish().value();
    return {stream, base::sys::read_file(AT_FDCWD, path.c_str(), 1U << 30U).value()};
}

std::string decompress(Compression compression, std::string_view bytes) {
    base::MemorySource source{base::bytes_of(bytes)};
    base::BufferedChunks chunks{source};
    auto const plain = make_decompressor(compression, chunks);
    std::string text;
    base::Bytes buffer(100'000);
    for (;;) {
        auto const count = plain->read(buffer).value();
        if (count == 0) {
            return text;
        }
        text += base::text_of(base::ByteView{buffer}.first(count));
    }
}

}  // namespace

TEST_CASE("what is compressed comes back, with digest and length", "[layer][compress]") {
    auto const compression = GENERATE(Compression::none, Compression::gzip, Compression::zstd);
    auto const bytes = GENERATE(as<std::size_t>{}, 0, 1, 70'000, (512U << 10U), (9U << 20U) + 17);
    CAPTURE(compression, bytes);
    std::string const text = sample(bytes);
    auto const out = compress(compression, text, 65'536);
    CHECK(out.stream.bytes == out.bytes.size());
    CHECK(out.stream.digest == base::sha256(std::string_view{out.bytes}));
    CHECK(decompress(compression, out.bytes) == text);
}

TEST_CASE("neither pieces nor threads change what is compressed", "[layer][compress]") {
    auto const compression = GENERATE(Compression::gzip, Compression::zstd);
    CAPTURE(compression);
    std::string const text = sample(17U << 20U);
    auto const one = compress(compression, text, 1U << 20U);
    tbb::global_control const alone{tbb::global_control::max_allowed_parallelism, 1};
    CHECK(compress(compression, text, 7777).stream.digest == one.stream.digest);
}
