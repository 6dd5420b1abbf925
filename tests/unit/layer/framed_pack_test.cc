// SPDX-License-Identifier: MIT
#include "store/layer/framed_pack.h"

#include "store/base/limits.h"
#include "store/base/sys.h"
#include "tests/support/catch.h"
#include "tests/support/random.h"
#include "tests/support/temp_dir.h"

#include <zstd.h>

#include <algorithm>
#include <thread>

using namespace oblea;
using namespace oblea::store;
using namespace oblea::test;
namespace sys = oblea::base::sys;

namespace {

std::string words(std::size_t bytes, std::uint64_t seed) {
    Random random{seed};
    std::string text;
    while (text.size() < bytes) {
        text += std::to_string(random.below(100'000)) + " frame ";
    }
    text.resize(bytes);
    return text;
}

base::UniqueFd file_of(TempDir const& dir, std::string const& text) {
    auto file = sys::open(dir / "pack.zst", O_RDWR | O_CREAT | O_TRUNC).value();
    REQUIRE(sys::write_all(file.get(), base::bytes_of(text)).has_value());
    return file;
}

std::string framed(TempDir const& dir, std::string const& plain) {
    auto const file = sys::open(dir / "written", O_RDWR | O_CREAT | O_TRUNC).value();
    PackBytes const read = [&](base::MutableBytes buffer, std::uint64_t at) -> Status {
        std::ranges::copy(
            base::bytes_of(plain).subspan(static_cast<std::size_t>(at), buffer.size()),
            buffer.begin());
        return {};
    };
    auto const bytes = write_framed_pack(read, plain.size(), file.get(), nullptr);
    std::string text = sys::read_file(AT_FDCWD, (dir / "written").c_str(), 1U << 30U).value();
    REQUIRE(bytes.value() == text.size());
    return text;
}

// What one gets who reads all of it in pieces, or why not.
Result<std::string> read_all(TempDir const& dir, std::string const& text,
                             std::size_t piece_bytes = 10'000) {
    FrameCache cache{0};
    auto opened = FramedPack::open(file_of(dir, text), "the pack", cache);
    FramedPack const pack = OBLEA_TRY(std::move(opened));
    std::string plain;
    base::Bytes buffer;
    while (plain.size() < pack.bytes()) {
        buffer.resize(static_cast<std::size_t>(std::min(pack.bytes() - plain.size(), piece_bytes)));
        OBLEA_TRY(pack.read(buffer, plain.size()));
        plain += base::text_of(buffer);
    }
    return plain;
}

std::string u32(std::uint64_t value) {
    std::string text(4, '\0');
    for (unsigned i = 0; i < 4; ++i) {
        text[i] = static_cast<char>(value >> (8 * i) & 0xffU);
    }
    return text;
}

std::string frame_of(std::string const& text) {
    std::string frame(ZSTD_compressBound(text.size()), '\0');
    frame.resize(ZSTD_compress(frame.data(), frame.size(), text.data(), text.size(), 3));
    return frame;
}

struct Entry {
    std::uint64_t compressed;
    std::uint64_t plain;
};

std::string table_of(std::vector<Entry> const& entries, std::string const& descriptor = {'\0'}) {
    std::string table;
    for (Entry const& entry : entries) {
        table += u32(entry.compressed) + u32(entry.plain);
    }
    table += u32(entries.size()) + descriptor + u32(0x8F92EAB1);
    return u32(0x184D2A5E) + u32(table.size()) + table;
}

}  // namespace

TEST_CASE("a framed pack gives the plain one back, at any place", "[layer][framed_pack]") {
    TempDir dir;
    std::size_t const bytes = GENERATE(1U, 65'535U, 65'536U, 65'537U, 3'000'000U);
    CAPTURE(bytes);
    std::string const plain = words(bytes, bytes);
    std::string const text = framed(dir, plain);
    CHECK(read_all(dir, text).value() == plain);
    CHECK((bytes < 1000 || text.size() < bytes / 2));
    // As every other program sees it.
    std::string whole(bytes, '\0');
    std::size_t at = 0;
    for (std::size_t from = 0; from < text.size();) {
        std::size_t const frame =
            ZSTD_findFrameCompressedSize(text.data() + from, text.size() - from);
        REQUIRE(ZSTD_isError(frame) == 0);
        std::size_t const count =
            ZSTD_decompress(whole.data() + at, whole.size() - at, text.data() + from, frame);
        REQUIRE(ZSTD_isError(count) == 0);
        at += count;
        from += frame;
    }
    CHECK(whole == plain);

    FrameCache cache{200'000};
    auto const pack = FramedPack::open(file_of(dir, text), "the pack", cache).value();
    Random random{bytes};
    base::Bytes buffer;
    for (int i = 0; i < 200; ++i) {
        std::size_t const offset = random.below(bytes);
        buffer.resize(std::min<std::size_t>(random.below(150'000), bytes - offset));
        REQUIRE(pack.read(buffer, offset).has_value());
        REQUIRE(base::text_of(buffer) == plain.substr(offset, buffer.size()));
    }
    buffer.resize(2);
    CHECK(pack.read(buffer, bytes - 1).error().code == Errno::euclean);
    CHECK(pack.read(buffer, UINT64_MAX).error().code == Errno::euclean);
}

TEST_CASE("many threads read two packs by one small cache", "[layer][framed_pack]") {
    TempDir dir;
    std::vector<std::string> const plain{words(2'000'000, 1), words(1'500'000, 2)};
    FrameCache cache{300'000};
    std::vector<FramedPack> packs;
    for (std::string const& text : plain) {
        packs.push_back(
            FramedPack::open(file_of(dir, framed(dir, text)), "the pack", cache).value());
        REQUIRE(sys::unlinkat(AT_FDCWD, (dir / "pack.zst").c_str()).has_value());
    }
    std::atomic<int> wrong{0};
    {
        std::vector<std::jthread> threads;
        for (unsigned thread = 0; thread < 4; ++thread) {
            threads.emplace_back([&, thread] {
                Random random{thread};
                base::Bytes buffer(5000);
                for (int i = 0; i < 300; ++i) {
                    std::size_t const which = random.below(2);
                    std::size_t const at = random.below(plain[which].size() - buffer.size());
                    bool const right =
                        packs[which].read(buffer, at).has_value() &&
                        base::text_of(buffer) == plain[which].substr(at, buffer.size());
                    wrong += right ? 0 : 1;
                }
            });
        }
    }
    CHECK(wrong == 0);
}

TEST_CASE("a framed pack with a flipped bit or a lost end is an error, never other bytes",
          "[layer][framed_pack]") {
    TempDir dir;
    std::string const plain = words(200'000, 3);
    std::string const text = framed(dir, plain);
    std::uint64_t const seed = random_seed();
    CAPTURE(seed);
    Random random{seed};
    int refused = 0;
    for (int i = 0; i < 300; ++i) {
        std::string damaged = text;
        std::size_t const at =
            i % 3 == 0 ? text.size() - 1 - random.below(60) : random.below(text.size());
        if (i % 10 == 9) {
            damaged.resize(at);
        } else {
            damaged[at] = static_cast<char>(damaged[at] ^ (1 << random.below(8)));
        }
        CAPTURE(i, at);
        auto const read = read_all(dir, damaged);
        if (read.has_value()) {
            REQUIRE(*read == plain);  // a bit that means nothing
            continue;
        }
        ++refused;
        CHECK(read.error().code == Errno::euclean);
        CHECK_THAT(read.error().message(), Catch::Matchers::Contains("the pack"));
    }
    CHECK(refused > 250);
}

TEST_CASE("what one damaged frame holds is lost, and nothing else", "[layer][framed_pack]") {
    TempDir dir;
    std::string const plain = words(200'000, 4);
    std::string text = framed(dir, plain);
    text[100] = static_cast<char>(text[100] ^ 1);
    FrameCache cache{FrameCache::kUsualBytes};
    auto const pack = FramedPack::open(file_of(dir, text), "the pack", cache).value();
    base::Bytes buffer(10);
    for (int i = 0; i < 2; ++i) {
        auto const failed = pack.read(buffer, 65'530);
        CHECK(failed.error().code == Errno::euclean);
        CHECK_THAT(failed.error().message(), Catch::Matchers::Contains("the pack: frame 0"));
    }
    CHECK(pack.read(buffer, 65'536).has_value());
    CHECK(base::text_of(buffer) == plain.substr(65'536, 10));
}

TEST_CASE("tables that the format does not allow are refused", "[layer][framed_pack]") {
    TempDir dir;
    std::string const one = frame_of("first");
    std::string const two = frame_of("other");
    std::string const last = frame_of("end");
    std::size_t const size = one.size();
    REQUIRE(two.size() == size);
    std::string const frames = one + two + last;
    std::vector<Entry> const right{{size, 5}, {size, 5}, {last.size(), 3}};
    CHECK(read_all(dir, frames + table_of(right)).value() == "firstotherend");
    CHECK(read_all(dir, frames + table_of(right, {'\x03'})).value() == "firstotherend");

    auto const [what, text] = GENERATE_COPY(table<std::string, std::string>({
        {"empty", ""},
        {"no table", frames},
        {"nothing but a table", table_of({})},
        {"no frames in it", frames + table_of({})},
        {"with checksums", frames + table_of(right, {'\x80'})},
        {"with something to come", frames + table_of(right, {'\x04'})},
        {"another frame's size", frames + table_of({{size, 5}, {size, 4}, {last.size(), 3}})},
        {"a last one that is larger", one + two + table_of({{size, 4}, {size, 5}})},
        {"an empty frame", frames + table_of({{size, 0}, {size, 0}, {last.size(), 0}})},
        {"nothing compressed", frames + table_of({{0, 5}, {size, 5}, {last.size(), 3}})},
        {"a frame too few", frames + table_of({{size, 5}, {size, 5}})},
        {"bytes too many", "x" + frames + table_of(right)},
        {"a huge frame", frames + table_of({{frames.size(), limits::kPackFrameBytesMax + 1}})},
        {"a bomb", frames + table_of({{frames.size(), 0xffffffff}})},
        {"larger than it can be", std::string(1000, 'x') + table_of({{1000, 5}})},
        {"more frames than the file has bytes for",
         frames + u32(0x184D2A5E) + u32(9) + u32(0x3fffff) + '\0' + u32(0x8F92EAB1)},
        {"more frames than are allowed",
         frames + u32(0x184D2A5E) + u32(9) + u32(0xffffffff) + '\0' + u32(0x8F92EAB1)},
        {"another frame's magic", frames + u32(0x184D2A50) + table_of(right).substr(4)},
        {"another length", frames + u32(0x184D2A5E) + u32(32) + table_of(right).substr(8)},
    }));
    CAPTURE(what);
    FrameCache cache{0};
    auto const opened = FramedPack::open(file_of(dir, text), "the pack", cache);
    REQUIRE_FALSE(opened.has_value());
    CHECK(opened.error().code == Errno::euclean);
    CHECK_THAT(opened.error().message(), Catch::Matchers::StartsWith("the pack: "));
}

TEST_CASE("frames that hold anything but what the table says are refused", "[layer][framed_pack]") {
    TempDir dir;
    std::string const one = frame_of("first");
    auto const [what, frame, plain] = GENERATE_COPY(table<std::string, std::string, std::size_t>({
        {"more", one, 4},
        {"less", one, 6},
        {"no frame", std::string(20, 'x'), 5},
        {"cut off", one.substr(0, one.size() - 1), 5},
        {"something behind it", one + "x", 5},
        {"a skippable one", u32(0x184D2A50) + u32(5) + "first", 5},
    }));
    CAPTURE(what);
    auto const read = read_all(dir, frame + table_of({{frame.size(), plain}}));
    REQUIRE_FALSE(read.has_value());
    CHECK(read.error().code == Errno::euclean);
}

TEST_CASE("framing a pack can be interrupted", "[layer][framed_pack]") {
    TempDir dir;
    auto const file = sys::open(dir / "written", O_RDWR | O_CREAT).value();
    std::atomic<bool> const cancel{true};
    PackBytes const read = [](base::MutableBytes, std::uint64_t) -> Status { return {}; };
    CHECK(write_framed_pack(read, 10, file.get(), &cancel).error().code == Errno::ecanceled);
}
