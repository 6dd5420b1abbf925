// SPDX-License-Identifier: MIT
#include "fs/upper/upper_lock.h"
#include "store/base/sys.h"
#include "tests/support/catch.h"
#include "tests/support/temp_dir.h"
#include "tests/unit/fs/fixture.h"

#include <sys/file.h>
#include <unistd.h>

#include <string>
#include <thread>

using namespace oblea;
using namespace oblea::fs;
using oblea::test::value_of;

namespace {

LockHolder const kMounted{.pid = 7, .mount = MountPlace{.device = "0:57", .path = "/srv/a b"}};
LockHolder const kEnding{.pid = 7, .ends = LockHolder::Ends::yes};

MountEntry entry_at(std::string device, std::string path) {
    return {.device = std::move(device),
            .mount_point = std::move(path),
            .options = {},
            .type = "fuse.oblea",
            .source = {}};
}

}  // namespace

TEST_CASE("the text of a lock names its holder and its mount", "[fs][upper]") {
    CHECK(encode_holder({.pid = 7}) == "7");
    CHECK(encode_holder(kMounted) == "7 0:57 /srv/a b");
    CHECK(encode_holder(kEnding) == "7 ends");
    CHECK(parse_holder("7") == LockHolder{.pid = 7});
    CHECK(parse_holder("7 ends") == kEnding);
    CHECK(parse_holder("7 0:57 /srv/a b") == kMounted);
    auto const* const text = GENERATE("", " ", "x", "0", "-7", "7x", "7 ", "7 /", "7  /srv",
                                      "7 0:57", "7 0:57 ", "7 0:57 srv");
    CAPTURE(text);
    CHECK(parse_holder(text) == std::nullopt);
}

TEST_CASE("a mount is told from a server that has lost its own", "[fs][upper]") {
    std::vector const others{entry_at("0:57", "/srv/b"), entry_at("0:58", "/srv/a b")};
    std::vector table = others;
    table.push_back(entry_at("0:57", "/srv/a b"));
    CHECK(state_of(kMounted, table) == HolderState::mounted);
    CHECK(state_of(kMounted, others) == HolderState::detached);
    CHECK(state_of(kEnding, table) == HolderState::ending);
    CHECK(state_of(LockHolder{.pid = 7}, table) == HolderState::other);
    CHECK(state_of(std::nullopt, table) == HolderState::other);
    // Nobody waits for a mount, and longest does who has only to wait.
    CHECK(patience_with(HolderState::mounted) == std::chrono::seconds{0});
    CHECK(patience_with(HolderState::detached) > patience_with(HolderState::other));
    CHECK(patience_with(HolderState::ending) > patience_with(HolderState::detached));
}

TEST_CASE("the lock of a mounted layer is refused, that of an ending one is waited for",
          "[fs][upper]") {
    test::TempDir const temp;
    auto const work = value_of(base::sys::open(temp.path(), O_RDONLY | O_DIRECTORY));
    auto held = value_of(take_upper_lock(work.get()));
    SECTION("mounted") {
        auto const table = value_of(read_mountinfo());
        REQUIRE_FALSE(table.empty());
        MountPlace const here{.device = table.front().device, .path = table.front().mount_point};
        value_of(note_mount(held.get(), here));
        auto const second = take_upper_lock(work.get());
        REQUIRE_FALSE(second.has_value());
        CHECK(second.error().code == Errno::ebusy);
        CHECK(second.error().message().find("mounted already at " + here.path + " by process " +
                                            std::to_string(::getpid())) != std::string::npos);
    }
    SECTION("another file of it") {
        auto const other = value_of(base::sys::open(temp / "other", O_RDWR | O_CREAT));
        auto const theirs = value_of(base::sys::open(temp / "other", O_RDWR));
        REQUIRE(value_of(base::sys::try_lock(theirs.get(), base::sys::LockKind::exclusive)));
        auto const waited = wait_for_lock(other.get(), work.get(), "lock");
        CHECK(waited.error().message().find(std::to_string(::getpid())) != std::string::npos);
        value_of(note_end(held.get()));
        std::thread server{[&] { static_cast<void>(::flock(theirs.get(), LOCK_UN)); }};
        CHECK(wait_for_lock(other.get(), work.get(), "lock").has_value());
        server.join();
    }
    SECTION("ending") {
        value_of(note_mount(held.get(), {.device = "0:0", .path = temp.path()}));
        value_of(note_end(held.get()));
        auto const waiting = value_of(base::sys::open(temp.path(), O_RDONLY | O_DIRECTORY));
        std::thread server{[&] { held.reset(); }};
        auto const second = take_upper_lock(waiting.get());
        server.join();
        REQUIRE(second.has_value());
        // What the one before has noted is gone.
        CHECK(value_of(base::sys::read_file(work.get(), "lock", 4096)) ==
              encode_holder({.pid = ::getpid()}));
    }
}
