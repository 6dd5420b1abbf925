// SPDX-License-Identifier: MIT
#include "store/base/subprocess.h"
#include "tests/support/catch.h"
#include "tools/mount/background.h"

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

using namespace oblea;
using namespace oblea::tools;

TEST_CASE("a child's report reaches its parent", "[mount][background]") {
    auto const child = start_child(Parentage::own, {}, [](Report& report) {
        return report.success("mounted").has_value() ? 7 : 1;
    });
    REQUIRE(child.has_value());
    CHECK(child->report == "mounted");
    auto const status = wait_for_child(child->pid);
    REQUIRE(status.has_value());
    CHECK(WEXITSTATUS(*status) == 7);
}

TEST_CASE("a child's failure is its parent's error", "[mount][background]") {
    auto const parentage = GENERATE(Parentage::own, Parentage::own_session, Parentage::detached);
    auto const child = start_child(parentage, {}, [](Report& report) {
        report.failure({Errno::ebusy, "open", "/srv"});
        return 1;
    });
    REQUIRE_FALSE(child.has_value());
    CHECK(child.error().code == Errno::ebusy);
    CHECK_THAT(child.error().message(), Catch::Matchers::StartsWith("/srv: open: "));
}

TEST_CASE("a child that dies without a word is an error", "[mount][background]") {
    auto const child = start_child(Parentage::own, {}, [](Report&) -> int { ::_exit(3); });
    REQUIRE_FALSE(child.has_value());
    CHECK_THAT(child.error().message(), Catch::Matchers::Contains("without a word"));
}

TEST_CASE("a detached child is out of reach of the terminal", "[mount][background]") {
    auto const child = start_child(Parentage::detached, {}, [](Report& report) {
        // Neither of the parent's session nor the leader of one.
        bool const apart = ::getsid(0) != ::getpid();
        return report.success(std::to_string(::getsid(0)) + (apart ? " apart" : " leader"))
                       .has_value()
                   ? 0
                   : 1;
    });
    REQUIRE(child.has_value());
    CHECK_THAT(child->report, Catch::Matchers::EndsWith(" apart"));
    CHECK_THAT(child->report, !Catch::Matchers::StartsWith(std::to_string(::getsid(0)) + " "));
    CHECK(child->pid == -1);
}

TEST_CASE("a child has only the descriptors that it was given", "[mount][background]") {
    int const kept = ::dup(STDIN_FILENO);
    int const closed = ::dup(STDIN_FILENO);
    auto const child = start_child(Parentage::own, {kept}, [&](Report& report) {
        bool const right = ::fcntl(kept, F_GETFD) >= 0 && ::fcntl(closed, F_GETFD) < 0;
        return report.success(right ? "right" : "wrong").has_value() ? 0 : 1;
    });
    ::close(kept);
    ::close(closed);
    REQUIRE(child.has_value());
    CHECK(child->report == "right");
    CHECK(wait_for_child(child->pid).has_value());
}

TEST_CASE("errors survive the pipe", "[mount][background]") {
    Error const error = parse_error(encode_error({Errno::enoent, "", "no such image: x"}));
    CHECK(error.code == Errno::enoent);
    CHECK(error.message() == "no such image: x");
    CHECK(parse_error("{").code == Errno::eio);
}

TEST_CASE("a program's messages and end come back", "[base][subprocess]") {
    auto const end = base::run_program(
        {.arguments = {"sh", "-c", "echo out; echo $X >&2; exit 3"}, .environment = {"X=err"}});
    REQUIRE(end.has_value());
    CHECK(end->messages == "out\nerr\n");
    CHECK_FALSE(end->succeeded());
    CHECK(WEXITSTATUS(end->wait_status) == 3);
    CHECK(base::run_program({.arguments = {"no-such-program-oblea"}, .environment = {}})
              .error()
              .code == Errno::enoent);
}
