// SPDX-License-Identifier: MIT
// Every operation of a store, cut short or made to fail at every system call that changes files.
#include "tests/crash/store_operations.h"
#include "tests/crash/traced_run.h"
#include "tests/support/catch.h"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <limits>

using namespace oblea::test;

namespace {

struct Bench {
    TempDir dir;
    Archives archives{dir};
    std::string const base = dir / "base";
    std::string const store = dir / "store";

    // What the uninterrupted operation and gc leave.
    std::vector<std::string> reference(Operation const& operation) const {
        std::filesystem::remove_all(base);
        prepare_store(archives, operation, base);
        copy_tree(base, store);
        REQUIRE(run_in_child([&] { return operation.run(store); }) == 0);
        REQUIRE(check_after(operation, store, {}, Happened::surely).starts_with("gc left"));
        return collected_listing(store);
    }

    TraceResult run(Operation const& operation, TraceOptions options) const {
        copy_tree(base, store);
        options.below = store;
        return run_traced([&] { return operation.run(store); }, options);
    }
};

bool is_sync(FsCall const& call) {
    return call.name == "fsync" || call.name == "fdatasync" || call.name == "syncfs";
}

std::string place(FsCall const& call) {
    return call.name + ' ' + call.path + (call.target.empty() ? "" : " -> " + call.target);
}

}  // namespace

TEST_CASE("killed at any system call, an operation leaves a store that works", "[crash][kill]") {
    ::setenv("OBLEA_THREADS", "1", 1);
    Bench const bench;
    std::size_t killed = 0;
    for (Operation const& operation : store_operations(bench.archives)) {
        auto const reference = bench.reference(operation);
        auto const whole = bench.run(operation, {});
        REQUIRE(whole.end == TraceResult::End::exited);
        REQUIRE(whole.status == 0);
        CHECK(whole.unseen.empty());
        std::size_t const points = whole.calls.size();
        std::printf("%-24s killed at %zu places\n", operation.name.c_str(), points);
        CAPTURE(operation.name, points);
        CHECK(points >= operation.points_min);
        // The same sequence each time, or places would be missed.
        auto const again = bench.run(operation, {});
        CHECK(std::ranges::equal(again.calls, whole.calls, {}, &FsCall::name, &FsCall::name));
        for (std::size_t i = 0; i < points; ++i) {
            CAPTURE(i, place(whole.calls[i]));
            auto const cut = bench.run(operation, {.kill_at = i});
            REQUIRE(cut.end == TraceResult::End::killed);
            CHECK(check_after(operation, bench.store, reference, Happened::perhaps) == "");
            ++killed;
        }
    }
    std::printf("killed at %zu places in all\n", killed);
}

TEST_CASE("when any system call fails, the operation fails or does without it", "[crash][fail]") {
    ::setenv("OBLEA_THREADS", "1", 1);
    Bench const bench;
    std::size_t tried = 0;
    // Each place fails once, syncs by EIO as well, the kinds of failure in turns; all of them where
    // there is time.
    char const* const all = std::getenv("OBLEA_CRASH_ALL");
    constexpr int kErrors[] = {ENOSPC, EIO, EDQUOT, EMFILE};
    for (Operation const& operation : store_operations(bench.archives)) {
        auto const reference = bench.reference(operation);
        auto const whole =
            bench.run(operation, {.fail_at = std::numeric_limits<std::size_t>::max()});
        std::size_t const points = whole.calls.size();
        std::printf("%-24s %zu calls that fail\n", operation.name.c_str(), points);
        for (std::size_t i = 0; i < points; ++i) {
            for (std::size_t kind = 0; kind < std::size(kErrors); ++kind) {
                // A disk that lost something says so once, and whoever is told must not go on.
                bool const lost = is_sync(whole.calls[i]) && kErrors[kind] == EIO;
                if (all == nullptr && kind != i % std::size(kErrors) && !lost) {
                    continue;
                }
                CAPTURE(operation.name, i, place(whole.calls[i]), kErrors[kind]);
                auto const failed =
                    bench.run(operation, {.fail_at = i, .fail_with = kErrors[kind]});
                REQUIRE(failed.end == TraceResult::End::exited);
                CHECK(failed.status <= 1);
                CHECK((failed.status == 1 || !lost));
                CHECK(check_after(operation, bench.store, reference, Happened::perhaps) == "");
                ++tried;
            }
        }
    }
    std::printf("%zu failures in all\n", tried);
    CHECK(tried >= 400);
}
