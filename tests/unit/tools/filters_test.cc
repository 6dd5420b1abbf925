// SPDX-License-Identifier: MIT
#include "tools/cli/filters.h"
#include "tools/images/image_filter.h"

#include "tests/support/catch.h"

#include <algorithm>
#include <cstdlib>
#include <ctime>

using namespace oblea::tools;
using oblea::base::sha256;
using oblea::store::Image;
using oblea::store::Images;
using Words = std::vector<std::string>;

namespace {

constexpr std::int64_t kNow = 1'700'000'000;  // 2023-11-14T22:13:20Z

Filters filters(Words const& words) {
    auto parsed = Filters::parse(words, {"dangling", "label", "reference", "until"});
    REQUIRE(parsed.has_value());
    return *std::move(parsed);
}

std::string refusal(Words const& words) {
    auto const parsed = Filters::parse(words, {"dangling", "label", "reference", "until"});
    return parsed.has_value() ? "accepted" : parsed.error().message();
}

Image image(std::string_view seed, std::string created, Words names) {
    Image result;
    result.id = sha256(seed);
    result.names = std::move(names);
    result.created = std::move(created);
    return result;
}

Images four_images() {
    Images images;
    images.put(image("a", "2023-11-01T00:00:00Z", {"docker.io/library/a:1"}));
    images.put(image("b", "2023-11-02T00:00:00Z", {"docker.io/library/b:1"}));
    images.put(image("c", "2023-11-03T00:00:00Z", {}));
    images.put(image("d", "", {"docker.io/library/d@" + sha256("m").to_string()}));
    return images;
}

// Which of a, b, c and d pass; b has the label tier=front, c the label tier=back.
std::string passing(Words const& words) {
    auto const images = four_images();
    auto const filter = ImageFilter::parse(words, ImageFilter::Of::list, images, kNow);
    if (!filter.has_value()) {
        return filter.error().message();
    }
    std::string names;
    for (char const* seed : {"a", "b", "c", "d"}) {
        Labels labels;
        if (*seed == 'b' || *seed == 'c') {
            labels["tier"] = *seed == 'b' ? "front" : "back";
        }
        names += filter->keeps(*images.find(sha256(seed)), labels) ? seed : "";
    }
    return names;
}

}  // namespace

TEST_CASE("a filter is a known key and a value", "[tools][filters]") {
    CHECK(filters({"label=a=b", " LABEL = c "}).of("label") == Words{"a=b", "c"});
    CHECK_FALSE(filters({"label=a"}).has("until"));
    CHECK(refusal({"label"}) == "bad format of filter (expected name=value)");
    CHECK(refusal({"bogus=1"}) == "invalid filter 'bogus'");
    CHECK(refusal({"referense=1"}) == "invalid filter 'referense'; did you mean 'reference'?");
}

TEST_CASE("truth is spelled as Go takes it, and the last one counts", "[tools][filters]") {
    auto const [word, truth] = GENERATE(table<std::string, bool>(
        {{"1", true}, {"t", true}, {"TRUE", true}, {"0", false}, {"false", false}, {"F", false}}));
    CHECK(filters({"dangling=" + word}).flag("dangling").value() == std::optional{truth});
    CHECK(filters({"dangling=true", "dangling=0"}).flag("dangling").value() ==
          std::optional{false});
    auto const wrong = filters({"dangling=x"}).flag("dangling");
    REQUIRE_FALSE(wrong.has_value());
    CHECK(wrong.error().message() == "invalid filter 'dangling=x'");
}

TEST_CASE("until takes ages, dates, times and seconds", "[tools][filters]") {
    ::setenv("TZ", "UTC", 1);
    ::tzset();
    auto const [value, seconds] = GENERATE(table<std::string, std::int64_t>({
        {"24h", kNow - 86'400},
        {"1h30m", kNow - 5'400},
        {"1.5h", kNow - 5'400},
        {"90s", kNow - 90},
        {"2023-11-14T22:13:20Z", kNow},
        {"2023-11-14T23:13:20+01:00", kNow},
        {"2023-11-14T22:13:20", kNow},
        {"2023-11-14T22:13", kNow - 20},
        {"2023-11-14", kNow - 80'000},
        {"1700000000", kNow},
        {"1700000000.5", kNow},
    }));
    CAPTURE(value);
    CHECK(filters({"until=" + value}).time("until", kNow).value() == std::optional{seconds});
}

TEST_CASE("until refuses what is no time", "[tools][filters]") {
    auto const value =
        GENERATE(as<std::string>{}, "yesterday", "", "5", "1x", "2023-13-01", "h", "--1h");
    auto const time = filters({"until=" + value}).time("until", kNow);
    CAPTURE(value);
    CHECK((value == "5" ? time.has_value() : !time.has_value()));
}

TEST_CASE("an image must pass all filters", "[tools][filters]") {
    auto const [words, names] = GENERATE(table<Words, std::string>({
        {Words{}, "abcd"},
        {Words{"dangling=true"}, "cd"},
        {Words{"dangling=false"}, "ab"},
        {Words{"before=nosuch"}, "No such image: nosuch:latest"},
        {Words{"before=b:1"}, "ad"},
        {Words{"since=a:1"}, "bc"},
        {Words{"since=a:1", "since=b:1"}, "c"},
        {Words{"since=a:1", "dangling=false"}, "b"},
        {Words{"label=tier"}, "bc"},
        {Words{"label=tier=front"}, "b"},
        {Words{"label=tier", "label=tier=back"}, "c"},
        {Words{"label!=tier=back"}, "abd"},
        {Words{"until=2023-11-02T12:00:00Z"}, "abd"},
        {Words{"until=300h"}, "abd"},
        {Words{"reference=["}, "invalid filter 'reference=[': syntax error in pattern"},
    }));
    CAPTURE(words);
    CHECK(passing(words) == names);
}

TEST_CASE("prune takes fewer filters", "[tools][filters]") {
    auto const images = four_images();
    auto const refused = [&](Words const& words) {
        auto const filter = ImageFilter::parse(words, ImageFilter::Of::prune, images, kNow);
        return filter.has_value() ? "accepted" : filter.error().message();
    };
    CHECK(refused({"until=24h", "label!=keep"}) == "accepted");
    CHECK(refused({"until=24h", "until=1h"}) == "more than one until filter specified");
    CHECK(refused({"before=a:1"}) == "invalid filter 'before'");
}

TEST_CASE("paths are matched as Go matches them", "[tools][filters]") {
    auto const [pattern, text, expected] = GENERATE(table<std::string, std::string, bool>({
        {"abc", "abc", true},
        {"*", "abc", true},
        {"*c", "abc", true},
        {"a*", "a", true},
        {"a*", "ab/c", false},
        {"a*/b", "abc/b", true},
        {"a*b?c*x", "abxbbxdbxebxczzx", true},
        {"a*b?c*x", "abxbbxdbxebxczzy", false},
        {"ab[c]", "abc", true},
        {"ab[b-d]", "abc", true},
        {"ab[e-g]", "abc", false},
        {"ab[^c]", "abc", false},
        {"ab[^e-g]", "abc", true},
        {"a\\*b", "a*b", true},
        {"a\\*b", "ab", false},
        {"a?b", "a/b", false},
        {"a*b", "a/b", false},
        {"a**b", "a/x/b", true},
        {"**", "a/b/c", true},
        {"", "", true},
        {"[\\]a]", "]", true},
        {"[x\\-]", "-", true},
        {"a[^a]b", "a/b", false},
    }));
    CAPTURE(pattern, text);
    CHECK(match_path(pattern, text) == expected);
}

TEST_CASE("a pattern that is none is refused", "[tools][filters]") {
    auto const pattern = GENERATE(as<std::string>{}, "[", "[]a", "[a", "a\\", "[-]", "[a-", "[a-]");
    CAPTURE(pattern);
    CHECK_FALSE(match_path(pattern, "a").has_value());
}
