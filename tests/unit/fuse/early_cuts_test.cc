// SPDX-License-Identifier: MIT
#include "fs/fuse/early_cuts.h"
#include "tests/support/catch.h"

#include <atomic>
#include <thread>
#include <vector>

using namespace oblea;
using namespace oblea::fs;

namespace {
constexpr Ino kFile{7};
constexpr Ino kOther{8};
}  // namespace

TEST_CASE("one at a time is alone with a file", "[fuse][early_cuts]") {
    EarlyCuts cuts;
    {
        auto const alone = cuts.enter(kFile);
        REQUIRE(alone.has_value());
        CHECK_FALSE(cuts.enter(kFile).has_value());
        CHECK(cuts.enter(kOther).has_value());
        cuts.wait_for_others(kOther);  // for nobody
    }
    CHECK(cuts.enter(kFile).has_value());
}

TEST_CASE("who opens the file meanwhile waits", "[fuse][early_cuts]") {
    EarlyCuts cuts;
    std::atomic<bool> left{false};
    bool had_left = false;
    auto alone = std::optional{cuts.enter(kFile)};
    std::thread opener{[&] {
        cuts.wait_for_others(kFile);
        had_left = left;
    }};
    left = true;
    alone.reset();
    opener.join();
    CHECK(had_left);
}

TEST_CASE("of two who open a file at once at most one is alone, and never unseen",
          "[fuse][early_cuts]") {
    EarlyCuts cuts;
    int wrong = 0;
    for (int round = 0; round < 2000; ++round) {
        std::atomic<int> opens{0};
        std::atomic<bool> inside{false};
        std::atomic<bool> met{false};
        auto const cutter = [&] {
            opens.fetch_add(1);
            auto const alone = cuts.enter(kFile);
            if (alone.has_value() && opens.load() == 1) {
                inside = true;
                std::this_thread::yield();
                inside = false;
            }
        };
        auto const reader = [&] {
            opens.fetch_add(1);
            cuts.wait_for_others(kFile);
            met = inside.load();
        };
        std::thread one{cutter};
        std::thread other{reader};
        one.join();
        other.join();
        wrong += met ? 1 : 0;
    }
    CHECK(wrong == 0);
}

TEST_CASE("a truncation is done early once", "[fuse][early_cuts]") {
    EarlyCuts cuts;
    constexpr pid_t kThread = 20;
    CHECK_FALSE(cuts.take_done(kFile, kThread));
    cuts.add_done(kFile, kThread);
    CHECK_FALSE(cuts.take_done(kOther, kThread));
    CHECK_FALSE(cuts.take_done(kFile, kThread + 1));
    SECTION("when it comes") {
        CHECK(cuts.take_done(kFile, kThread));
        CHECK_FALSE(cuts.take_done(kFile, kThread));
        CHECK_FALSE(cuts.never_came(kFile));
    }
    SECTION("or not at all") {
        CHECK_FALSE(cuts.never_came(kOther));
        CHECK(cuts.never_came(kFile));
        CHECK_FALSE(cuts.never_came(kFile));
        CHECK_FALSE(cuts.take_done(kFile, kThread));
    }
}
