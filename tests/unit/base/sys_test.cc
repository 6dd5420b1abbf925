// SPDX-License-Identifier: MIT
#include "store/base/sys.h"

#include "tests/support/catch.h"
#include "tests/support/temp_dir.h"

using namespace oblea;
using namespace oblea::base;

TEST_CASE("replace_file puts the whole text in place and leaves nothing beside it", "[base][sys]") {
    test::TempDir dir;
    UniqueFd const fd = sys::open(dir.path(), O_RDONLY | O_DIRECTORY).value();
    REQUIRE(sys::replace_file(fd.get(), "f", "one", 0600, sys::Sync::yes).has_value());
    REQUIRE(sys::replace_file(fd.get(), "f", "two", 0600, sys::Sync::no).has_value());
    CHECK(sys::read_file(fd.get(), "f", 100).value() == "two");
    CHECK(sys::list_dir(fd.get()).value().size() == 1);
    CHECK(sys::read_file(fd.get(), "f", 2).error().code == Errno::efbig);
}

TEST_CASE("remove_tree takes locked folders and does not follow links", "[base][sys]") {
    test::TempDir dir;
    REQUIRE(sys::mkdir_all(dir / "keep", 0700).has_value());
    REQUIRE(sys::mkdir_all(dir / "t/a/b", 0700).has_value());
    REQUIRE(sys::symlinkat("../../keep", AT_FDCWD, (dir / "t/a/link").c_str()).has_value());
    REQUIRE(sys::fchmodat(AT_FDCWD, (dir / "t/a").c_str(), 0).has_value());
    REQUIRE(sys::remove_tree(AT_FDCWD, (dir / "t").c_str()).has_value());
    CHECK_FALSE(sys::stat_if_exists(AT_FDCWD, (dir / "t").c_str()).value().has_value());
    CHECK(sys::stat_if_exists(AT_FDCWD, (dir / "keep").c_str()).value().has_value());
    CHECK(sys::remove_tree(AT_FDCWD, (dir / "absent").c_str()).has_value());
}

TEST_CASE("copy_range copies exactly what there is", "[base][sys]") {
    test::TempDir dir;
    UniqueFd const source = sys::open(dir / "s", O_RDWR | O_CREAT).value();
    UniqueFd const target = sys::open(dir / "t", O_RDWR | O_CREAT).value();
    std::string const text(300'000, 'x');
    REQUIRE(sys::pwrite_all(source.get(), bytes_of(text), 0).has_value());
    CHECK(sys::copy_range(source.get(), 100'000, target.get(), 5, 1'000'000).value() == 200'000);
    CHECK(sys::fstat(target.get()).value().st_size == 200'005);
}

TEST_CASE("an exclusive lock shuts out every other descriptor", "[base][sys]") {
    test::TempDir dir;
    UniqueFd const one = sys::open(dir / "l", O_RDWR | O_CREAT).value();
    UniqueFd const two = sys::open(dir / "l", O_RDWR).value();
    CHECK(sys::try_lock(one.get(), sys::LockKind::exclusive).value());
    CHECK_FALSE(sys::try_lock(two.get(), sys::LockKind::shared).value());
}
