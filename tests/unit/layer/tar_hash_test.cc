// SPDX-License-Identifier: MIT
#include "store/layer/tar_hash.h"

#include "tests/support/catch.h"

#include <algorithm>
#include <string>

using namespace oblea;
using namespace oblea::store;

namespace {

std::string some_text(std::size_t bytes) {
    std::string text;
    for (std::size_t i = 0; i < bytes; ++i) {
        text += static_cast<char>(i % 251);
    }
    return text;
}

}  // namespace

TEST_CASE("a tar is hashed as a whole, and an object's bytes of it for the object too",
          "[layer][tar_hash]") {
    std::string const text = some_text(10'000);
    // Of the tar; from and up to the border of a chunk, across it, and not at a block.
    auto const [begin, end] = GENERATE(table<std::size_t, std::size_t>(
        {{512, 1024}, {0, 4096}, {3584, 9000}, {77, 5000}, {4096, 4096}, {9999, 10'000}}));
    CAPTURE(begin, end);
    base::MemorySource source{base::bytes_of(text)};
    base::BufferedChunks chunks{source, 4096};
    TarHash tar{chunks};
    base::Sha256 object;
    std::size_t offset = 0;
    for (;;) {
        base::ByteView const chunk = tar.next().value();
        if (chunk.empty()) {
            break;
        }
        std::size_t const first = std::clamp(begin, offset, offset + chunk.size()) - offset;
        std::size_t const last = std::clamp(end, offset, offset + chunk.size()) - offset;
        std::size_t const middle = (first + last) / 2;
        tar.add_to(object, chunk.subspan(first, middle - first));
        tar.add_to(object, chunk.subspan(middle, last - middle));
        CHECK(tar.digest() == base::sha256(text.substr(0, offset + chunk.size())));
        offset += chunk.size();
    }
    CHECK(tar.digest() == base::sha256(text));
    CHECK(object.finish() == base::sha256(text.substr(begin, end - begin)));
}

TEST_CASE("the zeros that a tar lacks are found by its digest", "[layer][tar_hash]") {
    std::string const text = some_text(1024);
    base::MemorySource source{base::bytes_of(text)};
    base::BufferedChunks chunks{source};
    TarHash tar{chunks};
    REQUIRE(tar.next().has_value());
    CHECK(tar.missing_zeros(base::sha256(text)) == std::uint64_t{0});
    CHECK(tar.missing_zeros(base::sha256(text + std::string(9216, '\0'))) == std::uint64_t{9216});
    CHECK_FALSE(tar.missing_zeros(base::sha256(text + '\0')).has_value());
    CHECK_FALSE(tar.missing_zeros(base::sha256("other")).has_value());
}
