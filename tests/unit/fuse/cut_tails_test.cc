// SPDX-License-Identifier: MIT
#include "fs/fuse/cut_tails.h"
#include "tests/support/catch.h"

#include <string>

using namespace oblea;
using namespace oblea::fs;

namespace {

constexpr Ino kFile{7};
constexpr std::size_t kPage = 4096;

// What a READ of that size answers, of which the file itself gave `own`.
std::string answer(CutTails const& tails, std::uint64_t offset, std::size_t size,
                   std::string const& own) {
    base::Bytes buffer(size, std::byte{'?'});
    std::ranges::copy(base::bytes_of(own), buffer.begin());
    auto const count = tails.complete(kFile, offset, buffer, own.size());
    return std::string{base::text_of(base::ByteView{buffer}.first(count))};
}

}  // namespace

TEST_CASE("a read of what was cut gives what was there", "[fuse]") {
    CutTails tails;
    SECTION("of an emptied file all of it") {
        tails.keep(kFile, 0, base::bytes_of("hello"));
        CHECK(answer(tails, 0, kPage, "") == "hello");
        CHECK(answer(tails, 2, 2, "") == "ll");
        CHECK(answer(tails, 5, kPage, "").empty());
    }
    SECTION("behind the page of the new end, which is filled with zeros") {
        REQUIRE(CutTails::tail_begin(3) == kPage);
        tails.keep(kFile, 3, base::bytes_of("tail"));
        CHECK(answer(tails, 0, kPage, "abc") == "abc");
        CHECK(answer(tails, 0, 2 * kPage, "abc") == "abc" + std::string(kPage - 3, '\0') + "tail");
        CHECK(answer(tails, kPage, kPage, "") == "tail");
    }
    SECTION("of other files nothing") {
        tails.keep(Ino{8}, 0, base::bytes_of("hello"));
        CHECK(answer(tails, 0, kPage, "").empty());
    }
}

TEST_CASE("what was cut is forgotten when the file grows", "[fuse]") {
    CutTails tails;
    tails.keep(kFile, 0, base::bytes_of("hello"));
    SECTION("as told") {
        tails.drop(kFile);
        CHECK(answer(tails, 0, kPage, "").empty());
    }
    SECTION("as seen") {
        CHECK(answer(tails, 0, kPage, "ab") == "ab");
    }
    SECTION("and when it is cut where nothing is") {
        tails.keep(kFile, 10, {});
        CHECK(answer(tails, 0, kPage, "").empty());
    }
}

TEST_CASE("no more than a bounded number of cut bytes is kept", "[fuse]") {
    CutTails tails;
    base::Bytes const tail(CutTails::kFileBytesMax, std::byte{'x'});
    tails.keep(kFile, 0, tail);
    for (std::uint64_t other = 0; other < CutTails::kBytesMax / tail.size() - 1; ++other) {
        tails.keep(Ino{100 + other}, 0, tail);
    }
    CHECK(answer(tails, 0, 1, "") == "x");
    tails.keep(Ino{99}, 0, tail);
    CHECK(answer(tails, 0, 1, "").empty());
}
