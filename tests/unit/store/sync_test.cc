// SPDX-License-Identifier: MIT
#include "store/sync.h"

#include "store/base/sys.h"
#include "tests/support/catch.h"
#include "tests/support/temp_dir.h"
#include "tests/support/tree_builder.h"

using namespace oblea;
using namespace oblea::store;
using namespace oblea::test;

TEST_CASE("one wait for many files, unless most of what waits is others'", "[store][sync]") {
    constexpr std::uint64_t kMega = 1U << 20U;
    auto const [load, expected] = GENERATE(table<SyncLoad, SyncBy>({
        {{0, 0, 0}, SyncBy::each_file},
        {{12, 500 * kMega, 500 * kMega}, SyncBy::each_file},
        {{13, 0, 0}, SyncBy::whole_file_system},
        {{5000, 500 * kMega, 500 * kMega}, SyncBy::whole_file_system},
        {{5000, 500 * kMega, 700 * kMega}, SyncBy::whole_file_system},
        // Writeback has taken most of ours already.
        {{5000, 500 * kMega, 20 * kMega}, SyncBy::whole_file_system},
        {{5000, 500 * kMega, 1400 * kMega}, SyncBy::whole_file_system},
        {{5000, 500 * kMega, 1600 * kMega}, SyncBy::each_file},
        {{5000, 0, 200 * kMega}, SyncBy::whole_file_system},
        {{5000, 0, 300 * kMega}, SyncBy::each_file},
    }));
    CAPTURE(load.files, load.own_bytes, load.waiting_bytes);
    CHECK(decide_sync(load) == expected);
}

TEST_CASE("a path that cannot be synced is named", "[store][sync]") {
    TempDir const dir;
    auto const root = value_of(base::sys::open(dir.path(), O_RDONLY | O_DIRECTORY));
    value_of(base::sys::mkdirat(root.get(), "folder", 0700));
    CHECK(sync_paths(root.get(), {"folder", "."}, 1).has_value());
    auto const missing = sync_paths(root.get(), {"folder", "gone"}, 2);
    REQUIRE(!missing.has_value());
    CHECK(missing.error().code == Errno::enoent);
    CHECK(missing.error().detail == "gone");
}
