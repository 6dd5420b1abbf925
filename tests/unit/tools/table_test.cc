// SPDX-License-Identifier: MIT
#include "tools/output/table.h"

#include "tests/support/catch.h"
#include "tools/output/plain_text.h"

using namespace oblea::tools;

TEST_CASE("columns are at least ten wide and three apart", "[tools][table]") {
    Table table({"REPOSITORY", "TAG", "IMAGE ID", "CREATED", "SIZE"});
    table.add_row({"debian", "latest", "4eacea30377a", "3 weeks ago", "124MB"});
    table.add_row({"quay.io/example/tool", "1", "0123456789ab", "2 hours ago", "1.09GB"});
    CHECK(table.render() ==
          "REPOSITORY             TAG       IMAGE ID       CREATED       SIZE\n"
          "debian                 latest    4eacea30377a   3 weeks ago   124MB\n"
          "quay.io/example/tool   1         0123456789ab   2 hours ago   1.09GB\n");
}

TEST_CASE("a table without rows is its headers", "[tools][table]") {
    CHECK(Table({"REPOSITORY", "TAG"}).render() == "REPOSITORY   TAG\n");
}

TEST_CASE("cells are aligned by characters, not by bytes", "[tools][table]") {
    Table table({"A", "B"});
    table.add_row({"ñandúñandú", "x"});
    table.add_row({"nandunandu", "y"});
    CHECK(table.render() == "A            B\nñandúñandú   x\nnandunandu   y\n");
}

TEST_CASE("cells cannot move a terminal's cursor", "[tools][table]") {
    Table table({"A", "B"});
    table.add_row({"x\x1b[2Jy", "a\nb"});
    CHECK(table.render() == "A           B\nx\\x1b[2Jy   a\\nb\n");
}

TEST_CASE("control characters are escaped, UTF-8 stays", "[tools][plain_text]") {
    CHECK(one_line("a\tb\r\x7f") == "a\\tb\\x0d\\x7f");
    CHECK(one_line("naïve…") == "naïve…");
    CHECK(one_line("\xC2\x9B"
                   "2J") == "\\x9b2J");
}

TEST_CASE("texts are cut with an ellipsis inside the width", "[tools][plain_text]") {
    CHECK(cut_to_width("abcdef", 6) == "abcdef");
    CHECK(cut_to_width("abcdefg", 6) == "abcde…");
    CHECK(cut_to_width("ñññ", 2) == "ñ…");
    CHECK(cut_to_width("abc", 0).empty());
}

TEST_CASE("texts are wrapped at spaces", "[tools][plain_text]") {
    CHECK(wrap("one two three", 7, 2) == "one two\n  three");
    CHECK(wrap("overlongword x", 4, 0) == "overlongword\nx");
}
