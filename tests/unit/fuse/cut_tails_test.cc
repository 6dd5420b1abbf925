// SPDX-License-Identifier: MIT
#include "fs/fuse/cut_tails.h"
#include "fs/fuse/stale_pages.h"
#include "tests/support/catch.h"

#include <string>
#include <vector>

using namespace oblea;
using namespace oblea::fs;

namespace {

constexpr Ino kFile{7};
constexpr std::size_t kPage = 4096;

// What a READ of that size answers, of which the file itself gave `own`.
std::string answer(CutTails& tails, std::uint64_t offset, std::size_t size,
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
}

TEST_CASE("what was given of a cut tail is told, for the kernel to drop it", "[fuse]") {
    CutTails tails;
    tails.keep(kFile, 0, base::bytes_of("hello"));
    SECTION("all of it, however often it was read") {
        answer(tails, 3, 1, "");
        answer(tails, 1, 1, "");
        CHECK(tails.drop(kFile) == Stretch{.begin = 1, .end = 4});
        CHECK(tails.drop(kFile) == std::nullopt);
    }
    SECTION("nothing, when nobody has read it") {
        answer(tails, 5, 1, "");
        CHECK(tails.drop(kFile) == std::nullopt);
    }
    SECTION("of an earlier cut too, since the next one may fail") {
        answer(tails, 0, 1, "");
        tails.keep(kFile, 0, base::bytes_of("again"));
        answer(tails, 2, 1, "");
        CHECK(tails.drop(kFile) == Stretch{.begin = 0, .end = 3});
        CHECK(tails.drop(kFile) == std::nullopt);
    }
}

TEST_CASE("who must see pages dropped waits until they are", "[fuse]") {
    StalePages pages;
    std::vector<Stretch> dropped;
    auto const drop = [&](Ino, Stretch stretch) { dropped.push_back(stretch); };
    pages.drop(kFile, {.begin = 0, .end = 1}, drop);
    pages.drop(kFile, {.begin = 1, .end = 2}, drop);
    pages.stop();
    pages.drop(kFile, {.begin = 2, .end = 3}, drop);
    pages.stop();
    CHECK(dropped == std::vector<Stretch>{{0, 1}, {1, 2}, {2, 3}});
}

TEST_CASE("no more than a bounded number of cut bytes is kept", "[fuse]") {
    CutTails tails;
    base::Bytes const tail(CutTails::kFileBytesMax, std::byte{'x'});
    tails.keep(kFile, 0, tail);
    for (std::uint64_t other = 0; other < CutTails::kBytesMax / tail.size() - 1; ++other) {
        tails.keep(Ino{100 + other}, 0, tail);
    }
    SECTION("the oldest go first") {
        CHECK(answer(tails, 0, 1, "") == "x");
        tails.keep(Ino{99}, 0, tail);
        CHECK(answer(tails, 0, 1, "").empty());
    }
    SECTION("what was given of them is still told") {
        answer(tails, 3, 1, "");
        tails.keep(Ino{99}, 0, tail);
        CHECK(answer(tails, 0, 1, "").empty());
        CHECK(tails.drop(kFile) == Stretch{.begin = 3, .end = 4});
        CHECK(tails.drop(kFile) == std::nullopt);
    }
    SECTION("what was given of them is told after another cut") {
        answer(tails, 3, 1, "");
        tails.keep(Ino{99}, 0, tail);
        tails.keep(kFile, 0, tail);
        CHECK(tails.drop(kFile) == Stretch{.begin = 3, .end = 4});
        CHECK(tails.drop(kFile) == std::nullopt);
    }
}
