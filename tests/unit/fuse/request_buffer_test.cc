// SPDX-License-Identifier: MIT
#include "fs/fuse/request_buffer.h"

#include "fs/fuse/negotiate.h"
#include "tests/support/catch.h"
#include "tests/support/tree_builder.h"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <vector>

using namespace oblea;
using namespace oblea::fs;
using oblea::test::value_of;

namespace {

// How many bytes of memory from its begin have their pages.
std::size_t bytes_present(base::MutableBytes memory) {
    auto const page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
    std::vector<unsigned char> present(memory.size() / page);
    REQUIRE(::mincore(memory.data(), memory.size(), present.data()) == 0);
    auto const missing = std::ranges::find(present, 0, [](unsigned char one) { return one & 1U; });
    return static_cast<std::size_t>(missing - present.begin()) * page;
}

}  // namespace

TEST_CASE("small requests have their memory before the first comes", "[fuse][request_buffer]") {
    RequestBuffer const buffer = value_of(RequestBuffer::make());
    CHECK(bytes_present(buffer.memory()) == RequestBuffer::kSmallBytes);
    CHECK(buffer.memory().size() > kRequestBytesMax);
}

TEST_CASE("all memory is there when data is expected", "[fuse][request_buffer]") {
    RequestBuffer buffer = value_of(RequestBuffer::make());
    buffer.expect_data();
    CHECK(bytes_present(buffer.memory()) == buffer.memory().size());
    buffer.expect_data();
    CHECK(bytes_present(buffer.memory()) == buffer.memory().size());
}

TEST_CASE("what comes stands at the begin", "[fuse][request_buffer]") {
    std::array<int, 2> ends{-1, -1};
    REQUIRE(::pipe(ends.data()) == 0);
    REQUIRE(::write(ends[1], "request", 7) == 7);
    RequestBuffer buffer = value_of(RequestBuffer::make());
    base::MutableBytes const request = value_of(buffer.receive(ends[0]));
    CHECK(base::text_of(request) == "request");
    ::close(ends[0]);
    ::close(ends[1]);
    CHECK(buffer.receive(ends[0]).error().code == Errno{EBADF});
}
