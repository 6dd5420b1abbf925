// SPDX-License-Identifier: MIT
#include "fs/fuse/light_workers.h"
#include "tests/support/catch.h"

#include <sched.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <thread>
#include <vector>

namespace oblea::fs {
namespace {

using Seen = Lightness::Seen;

constexpr Seen kAnswers{.answered = true, .waits = false, .asker_runs = false};
constexpr Seen kSleeps{.answered = false, .waits = false, .asker_runs = false};
constexpr Seen kBehindItsAsker{.answered = false, .waits = true, .asker_runs = true};
constexpr Seen kBehindOthers{.answered = false, .waits = true, .asker_runs = false};

// How many looks it takes, while the worker answers, until it is light; the most, if it is not.
unsigned looks_until_light(Lightness& lightness, unsigned most) {
    unsigned looks = 0;
    while (looks < most && !lightness.is_light(0)) {
        lightness.look({kAnswers});
        ++looks;
    }
    return looks;
}

TEST_CASE("a worker is light while it answers, and a while longer", "[light]") {
    Lightness lightness{2};
    CHECK_FALSE(lightness.is_light(0));
    CHECK(lightness.may_sleep());
    lightness.look({kAnswers, kSleeps});
    CHECK(lightness.is_light(0));
    CHECK_FALSE(lightness.is_light(1));
    CHECK_FALSE(lightness.may_sleep());
    for (unsigned i = 0; i + 1 < Lightness::kQuietLooks; ++i) {
        lightness.look({kSleeps, kSleeps});
    }
    CHECK(lightness.is_light(0));
    lightness.look({kSleeps, kSleeps});
    CHECK_FALSE(lightness.is_light(0));
    CHECK(lightness.may_sleep());
}

TEST_CASE("a worker that its own program keeps from running is not light until it has answered",
          "[light]") {
    Lightness lightness{2};
    lightness.look({kAnswers, kAnswers});
    lightness.look({kBehindItsAsker, kAnswers});
    CHECK_FALSE(lightness.is_light(0));
    CHECK(lightness.is_light(1));
    lightness.look({kAnswers, kAnswers});
    CHECK(lightness.is_light(0));
}

TEST_CASE("when a worker starves none is light for a while, which doubles", "[light]") {
    Lightness lightness{2};
    lightness.look({kAnswers, kAnswers});
    unsigned const most = Lightness::kRestLooksMax + 1;
    unsigned expected = Lightness::kRestLooks;
    for (int i = 0; i < 20; ++i) {
        lightness.look({kBehindOthers, kAnswers});
        CHECK_FALSE(lightness.is_light(0));
        CHECK_FALSE(lightness.is_light(1));
        unsigned looks = 0;
        while (looks < most && !lightness.is_light(0)) {
            lightness.look({kAnswers, kAnswers});
            ++looks;
        }
        CHECK(looks == expected);
        expected = std::min(expected * 2, Lightness::kRestLooksMax);
    }
}

TEST_CASE("that one starved is forgotten when none has for long", "[light]") {
    Lightness lightness{1};
    for (int i = 0; i < 3; ++i) {
        lightness.look({kAnswers});
        lightness.look({kBehindOthers});
        looks_until_light(lightness, Lightness::kRestLooksMax);
    }
    for (unsigned i = 0; i < Lightness::kGoodLooks; ++i) {
        lightness.look({kAnswers});
    }
    lightness.look({kBehindOthers});
    CHECK(looks_until_light(lightness, Lightness::kRestLooksMax) == Lightness::kRestLooks);
}

TEST_CASE("a thread that answers is made light, and ordinary again when it has nothing to do",
          "[light]") {
    if (!LightWorkers::possible()) {
        WARN("skipped: needs CAP_SYS_NICE");
        return;
    }
    LightWorkers light;
    light.start(1);
    std::atomic<bool> answers{true};
    std::atomic<bool> ended{false};
    std::atomic<pid_t> thread{0};
    std::thread worker{[&] {
        light.enter(0);
        thread.store(::gettid());
        while (!ended.load()) {
            if (answers.load()) {
                light.count(0, ::getpid());
            }
            ::usleep(200);
        }
    }};
    auto const becomes = [&](int policy) {
        for (int i = 0; i < 6000; ++i) {  // bounded by a minute
            if (thread.load() != 0 && ::sched_getscheduler(thread.load()) == policy) {
                return true;
            }
            ::usleep(10'000);
        }
        return false;
    };
    CHECK(becomes(SCHED_IDLE));
    answers.store(false);
    CHECK(becomes(SCHED_OTHER));
    answers.store(true);
    CHECK(becomes(SCHED_IDLE));
    ended.store(true);
    worker.join();
    light.stop();
}

}  // namespace
}  // namespace oblea::fs
