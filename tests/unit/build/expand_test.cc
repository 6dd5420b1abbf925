// SPDX-License-Identifier: MIT
#include "tools/build/dockerfile/expand.h"

#include "store/base/limits.h"
#include "tests/support/catch.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <fstream>
#include <map>

using namespace oblea;
using namespace oblea::tools;

namespace {

std::optional<std::string> value_of(std::string_view name) {
    static std::map<std::string, std::string, std::less<>> const variables{
        {"A", "hello"},
        {"B", "hello world"},
        {"EMPTY", ""},
        {"PATHS", "/usr/local/bin:/usr/bin"},
        {"FILE", "archive.tar.gz"},
        {"STAR", "a*b?c"},
        {"UNICODE", "año"},
        {"_x1", "under"},
    };
    auto const found = variables.find(name);
    return found == variables.end() ? std::nullopt : std::optional{found->second};
}

std::string expanded(std::string_view word, char escape = '\\') {
    auto const result = dockerfile::expand_word(word, escape, value_of);
    return result.has_value() ? *result : "error: " + result.error().detail;
}

using Words = std::vector<std::string>;

Words split(std::string_view text) {
    auto const result = dockerfile::expand_words(text, '\\', value_of);
    return result.has_value() ? *result : Words{"error: " + result.error().detail};
}

}  // namespace

TEST_CASE("variables, quotes and escapes are replaced as docker does", "[build][expand]") {
    struct Case {
        std::string word;
        std::string result;
    };
    auto const one = GENERATE(values<Case>({
        {"", ""},
        {"plain", "plain"},
        {"$A", "hello"},
        {"${A}", "hello"},
        {"$A$A", "hellohello"},
        {"${A}x", "hellox"},
        {"$Ax", ""},
        {"$A.x", "hello.x"},
        {"$_x1", "under"},
        {"$MISSING", ""},
        {"$", "$"},
        {"a$", "a$"},
        {"$.", "$."},
        {"$1A", "A"},
        {"$$A", "A"},
        {"$?", ""},
        {R"(\$A)", "$A"},
        {R"(\\$A)", R"(\hello)"},
        {R"('$A')", "$A"},
        {R"("$A")", "hello"},
        {R"("\$A")", "$A"},
        {R"("\n")", R"(\n)"},
        {R"(\n)", "n"},
        {R"("a\"b")", "a\"b"},
        {R"("a'b")", "a'b"},
        {R"('a"b')", "a\"b"},
        {R"('a\')", R"(a\)"},
        {R"(a"b c"d)", "ab cd"},
        {R"(a\ b)", "a b"},
        {R"(end\)", "end"},
        {"two words", "two words"},
        {"<<EOF", "<<EOF"},

        {"${A:-no}", "hello"},
        {"${EMPTY:-word}", "word"},
        {"${EMPTY-word}", ""},
        {"${MISSING-word}", "word"},
        {"${MISSING:-}", ""},
        {"${MISSING:-$A}", "hello"},
        {"${MISSING:-${ALSO:-$B}}", "hello world"},
        {"${MISSING:-a b}", "a b"},
        {R"(${MISSING:-"a}b"})", "a}b"},
        {R"(${MISSING:-a\}b})", "a}b"},
        {"${A:+word}", "word"},
        {"${EMPTY:+word}", ""},
        {"${EMPTY+word}", "word"},
        {"${MISSING+word}", ""},
        {"${A:?}", "hello"},
        {"${EMPTY?}", ""},

        {"${PATHS#*/}", "usr/local/bin:/usr/bin"},
        {"${PATHS##*/}", "bin"},
        {"${PATHS%/*}", "/usr/local/bin:/usr"},
        {"${PATHS%%/*}", ""},
        {"${PATHS%%:*}", "/usr/local/bin"},
        {"${FILE%.*}", "archive.tar"},
        {"${FILE%%.*}", "archive"},
        {"${FILE#*.}", "tar.gz"},
        {"${FILE##*.}", "gz"},
        {"${FILE#nothing}", "archive.tar.gz"},
        {"${FILE#}", "archive.tar.gz"},
        {"${FILE#archive.???}", ".gz"},
        {"${FILE%$MISSING.gz}", "archive.tar"},
        {R"(${STAR#a\*})", "b?c"},
        {R"(${STAR%\?c})", "a*b"},
        {"${UNICODE#a?}", "o"},
        {"${UNICODE%?o}", "a"},
        {"${MISSING#a}", ""},

        {"${A/l/L}", "heLlo"},
        {"${A//l/L}", "heLLo"},
        {"${A/l*/L}", "heL"},
        {"${A/x/y}", "hello"},
        {"${A/l/}", "helo"},
        {"${A//?/x}", "xxxxx"},
        {"${A//*/x}", "x"},
        {R"(${PATHS//\//_})", "_usr_local_bin:_usr_bin"},
        {"${PATHS/:/$A}", "/usr/local/binhello/usr/bin"},
        {"${MISSING/a/b}", ""},

        {"${", "error: syntax error: missing '}'"},
        {"${A", "error: syntax error: missing '}'"},
        {"${A:", "error: syntax error: missing '}'"},
        {"${A:-x", "error: syntax error: missing '}'"},
        {"${}", "error: syntax error: bad substitution"},
        {"${:-x}", "error: syntax error: bad substitution"},
        {"${{A}}", "error: syntax error: bad substitution"},
        {"${A/l}", "error: syntax error: missing '/'"},
        {"${A/l/x", "error: syntax error: missing '}'"},
        {"'open", "error: unexpected end of statement while looking for matching single-quote"},
        {"\"open", "error: unexpected end of statement while looking for matching double-quote"},
        {"${MISSING:?}", "error: MISSING: is not allowed to be unset"},
        {"${EMPTY:?}", "error: EMPTY: is not allowed to be empty"},
        {"${MISSING:?say which}", "error: MISSING: say which"},
        {"${A:=x}", "error: unsupported modifier (:=) in substitution; there are :- - :+ + :? ? # "
                    "## % %% / and //"},
        {"${A^}", "error: unsupported modifier (^) in substitution; there are :- - :+ + :? ? # ## "
                  "% %% / and //"},
        {R"(${A#\x})", "error: invalid pattern (\\x) in substitution: a backslash stands only "
                       "before *, ?, \\, } and /"},
    }));
    CAPTURE(one.word);
    CHECK(expanded(one.word) == one.result);
}

TEST_CASE("the escape directive's character takes the backslash's place", "[build][expand]") {
    CHECK(expanded("`$A", '`') == "$A");
    CHECK(expanded(R"(C:\$A)", '`') == R"(C:\hello)");
    CHECK(expanded("\"a`\"b\"", '`') == "a\"b");
}

TEST_CASE("words are split at spaces that are not quoted, after replacing", "[build][expand]") {
    CHECK(split("a b  c") == Words{"a", "b", "c"});
    CHECK(split("$B") == Words{"hello", "world"});
    CHECK(split("\"$B\" x") == Words{"hello world", "x"});
    CHECK(split(R"(a\ b c)") == Words{"a b", "c"});
    CHECK(split("$EMPTY $MISSING").empty());
    CHECK(split("  ").empty());
}

TEST_CASE("a heredoc's text has variables and escapes, its quotes are text", "[build][expand]") {
    auto const text = dockerfile::expand_text("it's \"$A\" \\$A ${A}\n", value_of);
    REQUIRE(text.has_value());
    CHECK(*text == "it's \"hello\" $A hello\n");
}

TEST_CASE("splitting without replacing leaves every sign as it is", "[build][expand]") {
    auto const words =
        dockerfile::split_words(R"(a "b $X" 'c d' ${E:-f g} h\ i <<"EOF" ${U^^} "\"")");
    REQUIRE(words.has_value());
    // The spaces of a substitution split, as they do where it is replaced.
    CHECK(*words == Words{"a", "\"b $X\"", "'c d'", "${E:-f", "g}", R"(h\ i)", "<<\"EOF\"",
                          "${U^^}", R"("\"")"});
    CHECK_FALSE(dockerfile::split_words("it's").has_value());
}

TEST_CASE("a word does not grow past its limit, nor nest past it", "[build][expand]") {
    std::string const big(1U << 20U, 'x');
    auto const lookup = [&](std::string_view) { return std::optional{big}; };
    auto const bomb = dockerfile::expand_word("$A$A$A$A$A", '\\', lookup);
    REQUIRE_FALSE(bomb.has_value());
    CHECK(bomb.error().code == Errno::e2big);

    std::string nested;
    for (std::size_t i = 0; i <= limits::kSubstitutionDepthMax + 1; ++i) {
        nested += "${MISSING:-";
    }
    CHECK(expanded(nested) == "error: substitutions are nested more than 64 deep");
}

TEST_CASE("each use of a variable is asked for once", "[build][expand]") {
    std::string asked;
    auto const lookup = [&](std::string_view name) {
        asked += fmt::format("{} ", name);
        return std::optional<std::string>{"1"};
    };
    REQUIRE(dockerfile::expand_word("$A ${B:+$C} ${D#1} '$E'", '\\', lookup).has_value());
    CHECK(asked == "A C B D ");
}

TEST_CASE("random words come to what docker's own code makes of them", "[build][expand]") {
    std::map<std::string, std::string, std::less<>> const variables{
        {"A", "hello"}, {"B", "a/b/c.tar.gz"}, {"E", ""}, {"S", "x*y?z"}};
    auto const lookup = [&](std::string_view name) {
        auto const found = variables.find(name);
        return found == variables.end() ? std::nullopt : std::optional{found->second};
    };
    std::ifstream cases(std::string{OBLEA_GOLDEN_DOCKERFILES} + "/expansions.jsonl");
    std::size_t count = 0;
    for (std::string line; std::getline(cases, line); ++count) {
        auto const one = nlohmann::json::parse(line);  // the word, and its result or null
        auto const result = dockerfile::expand_word(one[0].get<std::string>(), '\\', lookup);
        CAPTURE(line);
        CHECK(result.has_value() == one[1].is_string());
        if (result.has_value() && one[1].is_string()) {
            CHECK(*result == one[1].get<std::string>());
        }
    }
    CHECK(count == 500);
}
