// SPDX-License-Identifier: MIT
#include "fs/fuse/counters.h"
#include "tests/support/catch.h"

#include <sys/mman.h>
#include <unistd.h>

using namespace oblea;
using namespace oblea::fs;

TEST_CASE("requests are counted where another process sees them", "[fuse]") {
    auto counters = Counters::make();
    REQUIRE(counters.has_value());
    counters->count(Op::lookup);
    counters->count(Op::lookup);
    counters->count(Op::ioctl);
    CHECK(counters->of(Op::lookup) == 2);
    auto const seen = read_counts(counters->descriptor());
    REQUIRE(seen.has_value());
    CHECK(*seen == RequestCounts{{"lookup", 2}, {"ioctl", 1}});
    counters->add_copied(100);
    counters->add_copied(1);
    CHECK(read_counts(counters->descriptor()).value().back() ==
          std::pair{std::string{kCopiedBytes}, std::uint64_t{101}});
}

TEST_CASE("what is no page of counters is refused", "[fuse]") {
    base::UniqueFd const memory{::memfd_create("test", MFD_CLOEXEC)};
    REQUIRE(memory.valid());
    auto const bytes = GENERATE(0, 100, 4096);
    CAPTURE(bytes);
    REQUIRE(::ftruncate(memory.get(), bytes) == 0);
    CHECK(read_counts(memory.get()).error().code == Errno::ebadmsg);
}
