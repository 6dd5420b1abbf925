// SPDX-License-Identifier: MIT
#include "fs/fd_cache.h"
#include "store/base/sys.h"
#include "tests/support/catch.h"

#include <fcntl.h>

using oblea::base::UniqueFd;
using oblea::fs::FdCache;
using oblea::fs::Ino;
using oblea::fs::SharedFd;

namespace {

// Of the share of the cache that holds three.
constexpr std::size_t kCapacity = 32;
Ino numbered(std::uint64_t number) {
    return Ino{number * 16};
}

SharedFd open_null() {
    return std::make_shared<UniqueFd const>(UniqueFd{::open("/dev/null", O_RDONLY | O_CLOEXEC)});
}

bool is_open(int descriptor) {
    return ::fcntl(descriptor, F_GETFD) != -1;
}

}  // namespace

TEST_CASE("a full cache drops the descriptor that was not used for longest", "[fd_cache]") {
    FdCache cache{kCapacity};
    for (unsigned const number : {1U, 2U, 3U}) {
        cache.put(numbered(number), open_null());
    }
    REQUIRE(cache.find(numbered(1)) != nullptr);
    cache.put(numbered(2), open_null());
    cache.put(numbered(4), open_null());

    CHECK(cache.find(numbered(3)) == nullptr);
    CHECK(cache.find(numbered(1)) != nullptr);
    CHECK(cache.find(numbered(2)) != nullptr);
    CHECK(cache.find(numbered(4)) != nullptr);
}

TEST_CASE("a descriptor is open until the cache and all who got it are done", "[fd_cache]") {
    FdCache cache{kCapacity};
    cache.put(numbered(1), open_null());
    SharedFd held = cache.find(numbered(1));
    REQUIRE(held != nullptr);
    int const first = held->get();

    SECTION("erased") {
        cache.erase(numbered(1));
        cache.erase(numbered(1));
        CHECK(cache.find(numbered(1)) == nullptr);
    }
    SECTION("replaced") {
        cache.put(numbered(1), open_null());
        CHECK(cache.find(numbered(1)) != held);
    }
    SECTION("dropped for others") {
        for (unsigned const number : {2U, 3U, 4U}) {
            cache.put(numbered(number), open_null());
        }
        CHECK(cache.find(numbered(1)) == nullptr);
    }
    CHECK(is_open(first));
    held.reset();
    CHECK_FALSE(is_open(first));
}
