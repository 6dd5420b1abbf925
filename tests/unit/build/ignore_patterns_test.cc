// SPDX-License-Identifier: MIT
#include "tools/build/context/ignore_patterns.h"

#include "tests/support/catch.h"

#include <nlohmann/json.hpp>

#include <fstream>

using namespace oblea;
using tools::build::IgnorePatterns;

namespace {

base::RelPath path(std::string_view text) {
    return base::RelPath::parse(text).value();
}

IgnorePatterns patterns(std::string_view file) {
    auto result = IgnorePatterns::parse_file(file);
    REQUIRE(result.has_value());
    return *std::move(result);
}

}  // namespace

TEST_CASE("a path is left out by docker's rules", "[build][ignore]") {
    struct Case {
        std::string file;
        std::string path;
        bool excluded;
    };
    auto const one = GENERATE(values<Case>({
        {"", "a", false},
        {"a", "a", true},
        {"a", "a/b/c", true},
        {"a", "b/a", false},
        {"/a", "a", true},
        {"a/", "a/b", true},
        {"./a//b/../c", "a/c", true},
        {"# a\na", "a", true},
        {"#a", "a", false},
        {" a \r\n", "a", true},
        {"\xEF\xBB\xBF"
         "a",
         "a", true},
        {"a\n!a", "a", false},
        {"!a\na", "a", true},
        {"a\n! a", "a", false},
        {"*", "a", true},
        {"*", "a/b", true},
        {"*\n!a", "a/b", false},
        {"*\n!a/b", "a/b", false},
        {"*\n!a/b", "a/c", true},
        {"*\n!*.md", "a.md", false},
        {"*\n!*.md", "a/b.md", true},
        {"*\n!**/*.md", "a/b.md", false},
        {"*\n!a\na/b", "a/b", true},
        {"*\n!a\na/b", "a/c", false},
        {"*.md\n!README*.md\nREADME-secret.md", "README-1.md", false},
        {"*.md\n!README*.md\nREADME-secret.md", "README-secret.md", true},
        {"*.md\nREADME-secret.md\n!README*.md", "README-secret.md", false},
        {"a/*", "a", false},
        {"a/*", "a/b/c", true},
        {"a/*/c", "a/b/c", true},
        {"a/*/c", "a/c", false},
        {"a/**", "a", false},
        {"a/**", "a/b", true},
        {"a/**/c", "a/c", true},
        {"a/**/c", "a/b/b/c", true},
        {"a/**/c", "a/bc", false},
        {"**", "a/b", true},
        {"**/a", "a", true},
        {"**/a", "b/a", true},
        {"**/a", "ba", false},
        {"**a", "ba", true},
        {"**a", "c/ba", true},
        {"**/a/**", "x/a/y", true},
        {"**/*.o", "x/y.o", true},
        {"**/*.o", "y.o", true},
        {"?", "a", true},
        {"?", "ñ", true},
        {"?", "ab", false},
        {"a?b", "a/b", false},
        {"[a-c]x", "bx", true},
        {"[^a-c]x", "bx", false},
        {"[^a-c]x", "dx", true},
        {"a[^b]c", "a/c", true},
        {"**a?", "bab", false},
        {"**a?", "b/ab", true},
        {"[]a]", "a", true},
        {R"([\]a])", "]", true},
        {R"(\*)", "*", true},
        {R"(\*)", "a", false},
        {"a.b", "axb", false},
        {"(a|b)+$", "(a|b)+$", true},
        {".", "a", false},
        {"/", "a", false},
        {"..", "a", false},
        {"../a", "a", false},
        // What takes back a folder before anything has left it out is not asked again for what is
        // in it, and so does not help a file that is left out by name.
        {"x/a/b\n!x/a", "x/a/b", true},
    }));
    CAPTURE(one.file, one.path);
    CHECK(patterns(one.file).excludes(path(one.path)) == one.excluded);
}

TEST_CASE("a wrong pattern is named", "[build][ignore]") {
    struct Case {
        std::string file;
        std::string message;
    };
    auto const one = GENERATE(values<Case>({
        {"[a", "pattern \"[a\": a \"[\" is not closed"},
        {"[", "pattern \"[\": a \"[\" is not closed"},
        {"a\\", "pattern \"a\\\": nothing is behind the backslash"},
        {"!", "pattern \"!\": nothing is behind the \"!\""},
    }));
    auto const result = IgnorePatterns::parse_file(one.file);
    REQUIRE_FALSE(result.has_value());
    CHECK(result.error().detail == one.message);
}

TEST_CASE("a folder is searched only where something may be taken back", "[build][ignore]") {
    auto const some = patterns("*\n!src/*/keep\n!doc");
    CHECK(some.may_keep_below(path("src")));
    CHECK(some.may_keep_below(path("src/x")));
    CHECK_FALSE(some.may_keep_below(path("src/x/y")));
    CHECK_FALSE(some.may_keep_below(path("node_modules")));
    CHECK(patterns("*\n!**/keep").may_keep_below(path("any/thing")));
    CHECK_FALSE(patterns("*").may_keep_below(path("any")));
}

TEST_CASE("random patterns leave out what docker's own code leaves out", "[build][ignore]") {
    std::ifstream cases(std::string{OBLEA_GOLDEN_DOCKERFILES} + "/ignored.jsonl");
    std::size_t count = 0;
    for (std::string line; std::getline(cases, line); ++count) {
        auto const one = nlohmann::json::parse(line);  // the file, a path, whether it is left out
        CAPTURE(line);
        CHECK(patterns(one[0].get<std::string>()).excludes(path(one[1].get<std::string>())) ==
              one[2].get<bool>());
    }
    CHECK(count == 500);
}
