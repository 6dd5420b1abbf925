// SPDX-License-Identifier: MIT
#include "store/base/sigbus_guard.h"

#include "store/base/mapped_file.h"
#include "store/base/sys.h"
#include "tests/support/catch.h"
#include "tests/support/temp_dir.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <thread>

namespace {

using namespace oblea;
using base::ByteView;
using base::MappedFile;
using base::read_guarded;
using test::TempDir;

constexpr std::size_t kBytes = 8192;

// A mapping whose file has gone, so that every read faults.
MappedFile lost_mapping(TempDir const& folder, char const* name) {
    auto const file = base::sys::open(folder / name, O_RDWR | O_CREAT);
    REQUIRE(file.has_value());
    REQUIRE(base::sys::ftruncate(file->get(), kBytes).has_value());
    auto mapped = MappedFile::map(file->get(), kBytes);
    REQUIRE(mapped.has_value());
    REQUIRE(base::sys::ftruncate(file->get(), 0).has_value());
    return *std::move(mapped);
}

Result<int> first_byte(ByteView bytes) {
    return std::to_integer<int>(*static_cast<std::byte const volatile*>(bytes.data()));
}

TEST_CASE("a fault in the guarded range is an error", "[base][sigbus_guard]") {
    TempDir const folder;
    MappedFile const lost = lost_mapping(folder, "a");
    // More than once: the signal must not stay blocked.
    for (int i = 0; i < 3; ++i) {
        auto const read = read_guarded(lost.bytes(), [&] { return first_byte(lost.bytes()); });
        REQUIRE_FALSE(read.has_value());
        CHECK(read.error().code == Errno::eio);
    }
    base::Bytes const sound(1, std::byte{7});
    CHECK(read_guarded(lost.bytes(), [&] { return first_byte(sound); }) == 7);
}

TEST_CASE("a guard in a guard ends the one that the address belongs to", "[base][sigbus_guard]") {
    TempDir const folder;
    MappedFile const outer = lost_mapping(folder, "outer");
    MappedFile const inner = lost_mapping(folder, "inner");
    int steps = 0;
    auto const inside = read_guarded(outer.bytes(), [&]() -> Result<int> {
        auto const read = read_guarded(inner.bytes(), [&] { return first_byte(inner.bytes()); });
        steps += read.has_value() ? 0 : 1;
        return steps;
    });
    CHECK(inside == 1);
    auto const through = read_guarded(outer.bytes(), [&]() -> Result<int> {
        return read_guarded(inner.bytes(), [&] { return first_byte(outer.bytes()); });
    });
    REQUIRE_FALSE(through.has_value());
    CHECK(through.error().code == Errno::eio);
    CHECK_FALSE(read_guarded(inner.bytes(), [&] { return first_byte(inner.bytes()); }).has_value());
}

TEST_CASE("threads have guards of their own", "[base][sigbus_guard]") {
    TempDir const folder;
    MappedFile const lost = lost_mapping(folder, "a");
    std::vector<std::thread> threads;
    std::vector<int> faults(4);
    for (int& count : faults) {
        threads.emplace_back([&count, &lost] {
            for (int i = 0; i < 100; ++i) {
                count +=
                    read_guarded(lost.bytes(), [&] { return first_byte(lost.bytes()); }) ? 0 : 1;
            }
        });
    }
    for (std::thread& thread : threads) {
        thread.join();
    }
    CHECK(faults == std::vector<int>(4, 100));
}

// Runs `act` in a child, which has no other threads; returns how it ended.
template <typename F>
int ending_of(F&& act) {
    pid_t const child = ::fork();
    if (child == 0) {
        ::signal(SIGBUS, SIG_DFL);  // in a sanitizer's build it has a handler
        act();
        ::_exit(0);
    }
    int status = 0;
    ::waitpid(child, &status, 0);
    return status;
}

sig_atomic_t volatile handled = 0;

TEST_CASE("any other SIGBUS goes where it went before", "[base][sigbus_guard]") {
    TempDir const folder;
    MappedFile const lost = lost_mapping(folder, "a");
    MappedFile const other = lost_mapping(folder, "b");
    int const unguarded = ending_of([&] { static_cast<void>(first_byte(lost.bytes())); });
    CHECK((WIFSIGNALED(unguarded) && WTERMSIG(unguarded) == SIGBUS));
    // The handler may have been installed by an earlier test, so that the default action is what it
    // found then; both have to end the process.
    int const elsewhere = ending_of([&] {
        static_cast<void>(read_guarded(other.bytes(), [&] { return first_byte(lost.bytes()); }));
    });
    CHECK((WIFSIGNALED(elsewhere) || WEXITSTATUS(elsewhere) != 0));
    int const sent = ending_of([&] {
        static_cast<void>(read_guarded(other.bytes(), [&]() -> Result<int> {
            ::raise(SIGBUS);
            return 0;
        }));
    });
    CHECK((WIFSIGNALED(sent) || WEXITSTATUS(sent) != 0));
}

}  // namespace
