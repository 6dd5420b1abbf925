// SPDX-License-Identifier: MIT
#include "tools/cli/suggest.h"

#include "tests/support/catch.h"

using namespace oblea::tools;

TEST_CASE("the edit distance counts swaps of neighbours once", "[tools][suggest]") {
    CHECK(edit_distance("mount", "mount") == 0);
    CHECK(edit_distance("mount", "muont") == 1);
    CHECK(edit_distance("mount", "umount") == 1);
    CHECK(edit_distance("", "abc") == 3);
    CHECK(edit_distance("kitten", "sitting") == 3);
}

TEST_CASE("a mistyped word gets the nearest known one", "[tools][suggest]") {
    std::vector<std::string> const known{"images", "import", "mount", "mounts", "umount", "rm"};
    auto const [typed, expected] = GENERATE(table<std::string, std::optional<std::string>>({
        {"imagse", "images"},
        {"imprt", "import"},
        {"muont", "mount"},
        {"mont", "mount"},
        {"frobnicate", std::nullopt},
        {"xy", std::nullopt},
        {"", std::nullopt},
    }));
    CAPTURE(typed);
    CHECK(suggest(typed, known) == expected);
}
