// SPDX-License-Identifier: MIT
#include "fs/fuse/openers.h"
#include "store/base/unique_fd.h"
#include "tests/support/catch.h"
#include "tests/support/temp_dir.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <thread>

using namespace oblea;
using namespace oblea::fs;
using namespace oblea::test;

namespace {

constexpr int kLargeFile = 0100000;  // which the kernel adds, and this machine's headers call 0

SystemCall openat_with(int flags) {
    SystemCall call{.number = SYS_openat, .stack = 1, .instruction = 1};
    call.arguments[2] = static_cast<unsigned>(flags);
    return call;
}

}  // namespace

TEST_CASE("what a thread is doing is read as the kernel writes it", "[fuse][openers]") {
    auto const call = parse_system_call("257 0xffffff9c 0x558c6ee47004 0x80201 0x1b6 0x0 "
                                        "0x7f7b600916c0 0x7f7b60090e50 0x7f7b6018d090\n");
    REQUIRE(call.has_value());
    CHECK(call->number == 257);
    CHECK(call->arguments[0] == 0xffffff9c);
    CHECK(call->arguments[2] == 0x80201);
    CHECK(call->arguments[5] == 0x7f7b600916c0);
    CHECK(call->stack == 0x7f7b60090e50);
    CHECK(call->instruction == 0x7f7b6018d090);
}

TEST_CASE("a thread that is in no system call asks for nothing", "[fuse][openers]") {
    auto const* const text =
        GENERATE("running\n", "", "-1 0x7f7b60090e50 0x7f7b6018d090\n", "257\n",
                 "257 0x1 0x2 0x3 0x4 0x5 0x6 0x7\n", "257 0x1 0x2 0x3 0x4 0x5 0x6 0x7 0x8 0x9\n",
                 "257 1 2 3 4 5 6 7 8\n", "openat 0x1 0x2 0x3 0x4 0x5 0x6 0x7 0x8\n",
                 "257 0x1 0x2 0x3 0x4 0x5 0x6 0x7 0x11112222333344445\n");
    CAPTURE(text);
    CHECK_FALSE(parse_system_call(text).has_value());
}

#if defined(__x86_64__) || defined(__aarch64__)

TEST_CASE("an open for writing with O_TRUNC empties its file", "[fuse][openers]") {
    int const flags = GENERATE(O_WRONLY, O_RDWR, O_WRONLY | O_APPEND, O_RDWR | O_NOFOLLOW);
    CHECK(empties(openat_with(flags | O_TRUNC), flags | kLargeFile));
    CHECK(empties(openat_with(flags | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOCTTY),
                  flags | kLargeFile | O_CLOEXEC));
    CHECK_FALSE(empties(openat_with(flags), flags | kLargeFile));
    SECTION("of which the upper half of the register says nothing") {
        SystemCall call = openat_with(flags | O_TRUNC);
        call.arguments[2] |= std::uint64_t{0xffffffff} << 32U;
        CHECK(empties(call, flags));
    }
}

TEST_CASE("only the open that the kernel asks about counts", "[fuse][openers]") {
    SECTION("not one with other flags") {
        CHECK_FALSE(empties(openat_with(O_WRONLY | O_TRUNC), O_RDWR));
        CHECK_FALSE(empties(openat_with(O_WRONLY | O_TRUNC), O_WRONLY | O_APPEND));
        CHECK_FALSE(empties(openat_with(O_WRONLY | O_TRUNC | O_NOFOLLOW), O_WRONLY));
    }
    SECTION("not one for reading, which finds out later whether the file is being executed") {
        CHECK_FALSE(empties(openat_with(O_RDONLY | O_TRUNC), O_RDONLY));
        CHECK_FALSE(empties(openat_with(O_ACCMODE | O_TRUNC), O_ACCMODE));
    }
    SECTION("not one that io_uring could have made") {
        CHECK_FALSE(empties(openat_with(O_WRONLY | O_TRUNC | O_NONBLOCK), O_WRONLY | O_NONBLOCK));
        CHECK_FALSE(empties(openat_with(O_WRONLY | O_TRUNC), O_WRONLY | O_NONBLOCK));
    }
    SECTION("not a thread of the kernel, with another one's registers") {
        SystemCall call = openat_with(O_WRONLY | O_TRUNC);
        call.stack = 0;
        CHECK_FALSE(empties(call, O_WRONLY));
        call = openat_with(O_WRONLY | O_TRUNC);
        call.instruction = 0;
        CHECK_FALSE(empties(call, O_WRONLY));
    }
    SECTION("not another system call with such arguments") {
        SystemCall call = openat_with(O_WRONLY | O_TRUNC);
        call.number = GENERATE(as<std::int64_t>{}, SYS_openat2, SYS_read, SYS_io_uring_enter,
                               SYS_openat | 0x40000000, 295);
        CHECK_FALSE(empties(call, O_WRONLY));
    }
}

#if defined(__x86_64__)
TEST_CASE("open and creat have their flags elsewhere", "[fuse][openers]") {
    SystemCall call{.number = SYS_open, .stack = 1, .instruction = 1};
    call.arguments[1] = O_WRONLY | O_TRUNC;
    CHECK(empties(call, O_WRONLY));
    call.arguments[1] = O_WRONLY;
    call.arguments[2] = O_TRUNC;  // a mode
    CHECK_FALSE(empties(call, O_WRONLY));
    CHECK(empties({.number = SYS_creat, .stack = 1, .instruction = 1}, O_WRONLY));
    CHECK_FALSE(empties({.number = SYS_creat, .stack = 1, .instruction = 1}, O_RDWR));
}
#endif

TEST_CASE("a thread that waits in open is seen there", "[fuse][openers]") {
    TempDir const dir;
    std::string const path = dir / "fifo";
    REQUIRE(::mkfifo(path.c_str(), 0600) == 0);
    int const flags = GENERATE(O_WRONLY | O_TRUNC, O_WRONLY);
    std::atomic<pid_t> number{0};
    std::thread opener{[&] {
        number = ::gettid();
        base::UniqueFd const file{::open(path.c_str(), flags | O_CLOEXEC)};  // until it is read
    }};
    Openers const openers;
    bool seen = false;
    // Until it has gone to sleep there.
    for (int i = 0; i < 6000 && !seen && (flags & O_TRUNC) != 0; ++i) {
        seen = openers.will_empty(number, O_WRONLY);
        ::usleep(10'000);
    }
    CHECK(seen == ((flags & O_TRUNC) != 0));
    CHECK_FALSE(openers.will_empty(number, O_RDWR));
    CHECK_FALSE(openers.will_empty(0, O_WRONLY));
    CHECK_FALSE(openers.will_empty(-1, O_WRONLY));
    CHECK_FALSE(openers.will_empty(::gettid(), O_WRONLY));
    base::UniqueFd const reader{::open(path.c_str(), O_RDONLY | O_CLOEXEC)};
    opener.join();
}

#endif
