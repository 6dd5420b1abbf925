// SPDX-License-Identifier: MIT
#include "store/index/format.h"
#include "store/index/index.h"
#include "store/index/merge.h"
#include "tests/support/catch.h"
#include "tests/support/index_walk.h"
#include "tests/support/random.h"
#include "tests/unit/index/sample_trees.h"

namespace {

using namespace oblea;
using namespace oblea::test;
using store::Index;
using store::format::Header;

constexpr std::uint64_t kEntriesMax = 20'000;

std::vector<base::Bytes> samples() {
    return {sample_lower(), sample_upper(), sample_merged(), layer_bytes({}),
            value_of(store::merge({}))};
}

// Makes both checksums right again, as somebody would who damages an index on purpose.
void seal(base::Bytes& bytes) {
    auto const check = base::xxh3_128(base::ByteView{bytes}.subspan(sizeof(Header)));
    base::store_le(&bytes[offsetof(Header, payload_check_low)], check.low);
    base::store_le(&bytes[offsetof(Header, payload_check_high)], check.high);
    auto const head = base::ByteView{bytes}.first(offsetof(Header, header_check));
    base::store_le(&bytes[offsetof(Header, header_check)], base::xxh3_64(head));
}

void damage(Random& random, base::Bytes& bytes, std::size_t from, std::size_t to) {
    std::uint64_t const times = 1 + random.below(3);
    for (std::uint64_t i = 0; i < times; ++i) {
        std::size_t const at = from + random.below(to - from);
        switch (random.below(4)) {
        case 0:
            bytes[at] ^= static_cast<std::byte>(1U << random.below(8));
            break;
        case 1:
            bytes[at] = static_cast<std::byte>(random.below(256));
            break;
        case 2:  // a small number, or none, where another one was
            if (std::size_t const field = at / 4 * 4; field >= from && field + 4 <= to) {
                base::store_le(&bytes[field], static_cast<std::uint32_t>(random.below(40) - 2));
            }
            break;
        default:  // another record's number
            if (std::size_t const field = at / 4 * 4,
                other = (from + random.below(to - from)) / 4 * 4;
                field >= from && field + 4 <= to && other >= from && other + 4 <= to) {
                base::store_le(&bytes[field], base::load_le<std::uint32_t>(&bytes[other]));
            }
        }
    }
}

TEST_CASE("the samples are whole", "[index][corruption]") {
    for (base::Bytes& bytes : samples()) {
        Index const index = open_index(std::move(bytes));
        CHECK(IndexWalk(index).run(kEntriesMax) == 0);
    }
}

TEST_CASE("every flipped byte is found", "[index][corruption]") {
    for (base::Bytes& bytes : samples()) {
        std::vector<std::size_t> missed;
        for (std::size_t at = 0; at < bytes.size(); ++at) {
            base::Bytes changed = bytes;
            changed[at] ^= static_cast<std::byte>(1U << (at % 8));
            auto const index = Index::from_bytes(std::move(changed), "x");
            bool const found = at < sizeof(Header)
                                   ? !index.has_value()
                                   : index.has_value() && !index->check().has_value();
            if (!found) {
                missed.push_back(at);
            }
        }
        CHECK(missed.empty());
    }
}

TEST_CASE("every truncated or lengthened file is refused", "[index][corruption]") {
    base::Bytes const whole = sample_upper();
    std::vector<std::size_t> opened;
    for (std::size_t size = 0; size <= whole.size() + 100; ++size) {
        base::Bytes changed = whole;
        changed.resize(size);
        auto const index = Index::from_bytes(std::move(changed), "x");
        if (index.has_value() != (size == whole.size())) {
            opened.push_back(size);
        }
    }
    CHECK(opened.empty());
}

TEST_CASE("damage behind right checksums is contained", "[index][corruption]") {
    std::uint64_t const seed = random_seed();
    CAPTURE(seed);
    Random random(seed);
    auto const originals = samples();
    Index const lower = open_index(sample_lower());
    std::size_t opened = 0;
    std::size_t passed = 0;
    for (int round = 0; round < 6000; ++round) {
        base::Bytes bytes = originals[random.below(3)];
        bool const in_header = random.one_in(10);
        damage(random, bytes, in_header ? 0 : sizeof(Header),
               in_header ? sizeof(Header) : bytes.size());
        if (random.one_in(20)) {
            bytes.resize(random.below(bytes.size() + 64));
        }
        if (bytes.size() >= sizeof(Header)) {
            seal(bytes);
        }
        auto const index = Index::from_bytes(std::move(bytes), "x");
        if (!index.has_value()) {
            continue;
        }
        ++opened;
        std::size_t const damaged = IndexWalk(*index).run(kEntriesMax);
        bool const checked = index->check().has_value();
        if (checked && damaged != 0) {
            CAPTURE(round);
            FAIL("an index that check() passes gives damaged answers");
        }
        passed += checked ? 1 : 0;
        if (index->kind() == store::IndexKind::layer) {
            auto const both = store::merge(std::vector<Index const*>{&lower, &*index});
            if (checked && both.has_value()) {
                auto const merged_index = Index::from_bytes(*both, "merged");
                REQUIRE(merged_index.has_value());
                REQUIRE(merged_index->check().has_value());
            }
        }
    }
    // The test is worth something only if damage gets past open(), and is mostly found by check().
    CHECK(opened > 3000);
    CHECK(passed < opened / 2);
}

TEST_CASE("check names each contradiction", "[index][corruption]") {
    base::Bytes const whole = sample_lower();
    Header header{};
    std::memcpy(&header, whole.data(), sizeof(header));
    auto const message = [&](store::format::Section section, std::size_t offset, auto value) {
        base::Bytes bytes = whole;
        base::store_le(&bytes[header.sections[static_cast<std::size_t>(section)].offset + offset],
                       value);
        seal(bytes);
        Index const index = value_of(Index::from_bytes(std::move(bytes), "x"));
        auto const checked = index.check();
        REQUIRE_FALSE(checked.has_value());
        CHECK(checked.error().code == Errno::euclean);
        return checked.error().message();
    };
    using store::format::Section;
    using u8 = std::uint8_t;
    using u32 = std::uint32_t;
    using u64 = std::uint64_t;
    auto const says = [](char const* what) { return std::string("x: damaged index: ") + what; };
    // The root is inode 1, "bin" inode 2 and the first entry.
    CHECK(message(Section::inodes, 0, u8{9}) == says("file type"));
    CHECK(message(Section::inodes, 1, u8{4}) == says("attributes"));
    CHECK(message(Section::inodes, 4, u32{10}) == says("link count"));
    CHECK(message(Section::inodes, 16, u64{1}) == says("size of a special file"));
    CHECK(message(Section::inodes, 32, u32{1'000'000'000}) == says("attributes"));
    CHECK(message(Section::inodes, 36, u32{2}) == says("order of xattrs"));
    CHECK(message(Section::inodes, 44, u32{2}) == says("origin of an inode"));
    CHECK(message(Section::inodes, 48, u32{1}) == says("order of folders"));
    CHECK(message(Section::inodes, 56, u32{2}) == says("order of folders"));
    CHECK(message(Section::inodes, 60, u32{1}) == says("unused fields of an inode"));
    CHECK(message(Section::inodes, 64 + 56, u32{2}) == says("a folder with two parents"));
    CHECK(message(Section::dirents, 0, u32{2}) == says("order of entries"));
    CHECK(message(Section::dirents, 4, u32{3}) == says("inode of an entry"));
    CHECK(message(Section::dirents, 4, u32{1}) == says("a folder with two parents"));
    CHECK(message(Section::dirents, 8, u32{1}) == says("order of entries"));
    CHECK(message(Section::dirents, 13, u8{1}) == says("inode of an entry"));
    CHECK(message(Section::dirents, 14, u8{7}) == says("kind of an entry"));
    CHECK(message(Section::dirents, 15, u8{1}) == says("order of entries"));
    CHECK(message(Section::names, 0, u8{'/'}) == says("a name that is none"));
    CHECK(message(Section::names, 0, u8{0}) == says("a name that is none"));
    CHECK(message(Section::names, 0, u8{'z'}) == says("order of names"));
    CHECK(message(Section::strings, 0, u8{0}) == says("target of a symbolic link"));
    CHECK(message(Section::contents, 0, u32{0}) == says("content of a file"));
    CHECK(message(Section::contents, 32, u64{6}) == says("a file's size is not its content's"));
    CHECK(message(Section::objects, 0, u8{0xff}) == says("order of objects"));
}

}  // namespace
