// SPDX-License-Identifier: MIT
#include "fs/fuse/eager_wait.h"
#include "store/base/unique_fd.h"
#include "tests/support/catch.h"

#include <sys/eventfd.h>
#include <unistd.h>

namespace oblea::fs {
namespace {

unsigned watches_among(Eagerness& eagerness, unsigned waits, bool came) {
    unsigned watches = 0;
    for (unsigned i = 0; i < waits; ++i) {
        if (eagerness.wants_to_watch()) {
            ++watches;
            eagerness.learn(came);
        }
    }
    return watches;
}

TEST_CASE("waiting awake goes on while requests come", "[eager]") {
    Eagerness eagerness;
    CHECK(watches_among(eagerness, 1000, true) == 1000);
}

TEST_CASE("waiting awake in vain is given up but for a probe now and then", "[eager]") {
    Eagerness eagerness;
    watches_among(eagerness, 100, false);
    CHECK(watches_among(eagerness, 10 * Eagerness::kProbeEvery, false) == 10);
}

TEST_CASE("a probe that meets a request begins it again", "[eager]") {
    Eagerness eagerness;
    watches_among(eagerness, 100, false);
    CHECK(watches_among(eagerness, Eagerness::kProbeEvery + 50, true) > 50);
}

TEST_CASE("requests that come every other time are not waited for awake", "[eager]") {
    Eagerness eagerness;
    unsigned watches = 0;
    for (unsigned i = 0; i < 1000; ++i) {
        if (eagerness.wants_to_watch()) {
            ++watches;
            eagerness.learn(i % 2 == 0);
        }
    }
    CHECK(watches < 100);
}

TEST_CASE("watching ends when a request is there and takes none of it", "[eager]") {
    base::UniqueFd const device{::eventfd(1, EFD_CLOEXEC | EFD_NONBLOCK)};
    EagerWait wait{2};
    for (int i = 0; i < 100; ++i) {
        wait.watch(device.get());
    }
    std::uint64_t count = 0;
    REQUIRE(::read(device.get(), &count, sizeof(count)) == sizeof(count));
    CHECK(count == 1);
    wait.watch(device.get());  // nothing there: ends by itself
}

}  // namespace
}  // namespace oblea::fs
