// SPDX-License-Identifier: MIT
#include "store/base/error.h"

#include "tests/support/catch.h"

using namespace oblea;

namespace {
Result<int> half(int value) {
    if (value % 2 != 0) {
        return fail(Errno::einval, "half", "an odd number");
    }
    return value / 2;
}
Result<int> quarter(int value) {
    int const once = OBLEA_TRY(half(value));
    return OBLEA_TRY(half(once));
}
}  // namespace

TEST_CASE("OBLEA_TRY yields the value or returns the first error", "[base][error]") {
    CHECK(quarter(8).value() == 2);
    auto const failed = quarter(6);
    REQUIRE_FALSE(failed.has_value());
    CHECK(failed.error().code == Errno::einval);
    CHECK(std::string{failed.error().op} == "half");
}

TEST_CASE("an error's message names thing, step and system text", "[base][error]") {
    CHECK(Error{Errno::enoent, "open", "/etc/x"}.message() ==
          "/etc/x: open: No such file or directory");
    CHECK(Error{Errno::euclean, "", "index is damaged"}.message() == "index is damaged");
    CHECK(Error{Errno::enoent, "", "no such image: x"}.message() == "no such image: x");
    CHECK(Error{Errno::enoent, "", {}}.message() == "No such file or directory");
    CHECK(with_context(Error{Errno::enoent, "open", "b"}, "a").detail == "a: b");
}
