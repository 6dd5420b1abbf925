// SPDX-License-Identifier: MIT
#include "store/layer/writeback.h"

#include "store/base/sys.h"
#include "tests/support/catch.h"
#include "tests/support/temp_dir.h"

#include <unistd.h>

using namespace oblea;
using namespace oblea::store;

namespace {
constexpr std::uint64_t kMuch = std::uint64_t{1} << 40U;
}  // namespace

TEST_CASE("what a sync on the way says is told at the end, each time", "[layer][writeback]") {
    auto const threading = GENERATE(Threading::own, Threading::caller);
    int ends[2] = {-1, -1};
    REQUIRE(::pipe(ends) == 0);
    base::UniqueFd const out{ends[0]};
    Writeback writeback{threading};
    {
        base::UniqueFd const in{ends[1]};
        writeback.start(in.get(), 0, kMuch);  // nothing that can be synced
    }
    // The end is there when nobody holds the other one any more.
    char byte = 0;
    CHECK(::read(out.get(), &byte, 1) == 0);
    CHECK(writeback.finish().error().code == Errno::einval);
    CHECK(writeback.finish().error().code == Errno::einval);
}

TEST_CASE("what was sent to disk early leaves nothing to tell", "[layer][writeback]") {
    auto const threading = GENERATE(Threading::own, Threading::caller);
    test::TempDir const dir;
    auto const file =
        base::sys::openat(AT_FDCWD, (dir / "file").c_str(), O_RDWR | O_CREAT, 0600).value();
    REQUIRE(base::sys::write_all(file.get(), base::bytes_of("text")).has_value());
    Writeback writeback{threading};
    for (int round = 0; round < 2; ++round) {
        for (int i = 0; i < 100; ++i) {
            writeback.start(file.get(), 0, kMuch);
        }
        CHECK(writeback.finish().has_value());
    }
}
