// SPDX-License-Identifier: MIT
#include "tools/images/history_rows.h"
#include "tools/images/image_rows.h"
#include "tools/images/remove_plan.h"

#include "tests/support/catch.h"

using namespace oblea::tools;
using Catch::Matchers::Contains;
using oblea::base::Digest;
using oblea::base::sha256;
using oblea::store::Image;
using oblea::store::Images;
using Lines = std::vector<std::string>;

namespace {

constexpr std::int64_t kNow = 1'700'000'000;

Image image(std::string_view seed, std::string created, Lines names) {
    Image result;
    result.id = sha256(seed);
    result.names = std::move(names);
    result.created = std::move(created);
    result.size_bytes = 124'000'000;
    return result;
}

Images some_images() {
    Images images;
    images.put(image("old", "2023-10-14T22:13:20Z",
                     {"docker.io/library/debian:12", "docker.io/library/debian:latest"}));
    images.put(image("new", "2023-11-14T20:13:20Z", {"quay.io/example/tool:master"}));
    images.put(image("dangling", "2023-11-13T22:13:20Z", {}));
    images.put(image("timeless", "", {"docker.io/user/app:1"}));
    return images;
}

std::string hex12(std::string_view seed) {
    return sha256(seed).short_hex();
}

Lines removal(Images const& images, std::string_view typed, Force force = Force::no,
              std::vector<ImageUse> const& uses = {}) {
    auto const plan = plan_remove(images, uses, typed, {.force = force});
    return plan.has_value() ? describe_removal(*plan) : Lines{plan.error().message()};
}

}  // namespace

TEST_CASE("the table of images is docker's", "[tools][images]") {
    CHECK(render_images(list_rows(some_images().all()), {.now = kNow}) ==
          "REPOSITORY             TAG       IMAGE ID       CREATED        SIZE\n"
          "quay.io/example/tool   master    " +
              hex12("new") + "   2 hours ago    124MB\n" + "<none>                 <none>    " +
              hex12("dangling") + "   24 hours ago   124MB\n" +
              "debian                 12        " + hex12("old") + "   4 weeks ago    124MB\n" +
              "debian                 latest    " + hex12("old") + "   4 weeks ago    124MB\n" +
              "user/app               1         " + hex12("timeless") +
              "   N/A            124MB\n");
}

TEST_CASE("digests and whole ids are shown on demand", "[tools][images]") {
    Images images;
    Image one = image("x", "2023-11-14T20:13:20Z", {"docker.io/library/x:1"});
    one.manifest = sha256("manifest");
    images.put(one);
    auto const rendered = render_images(
        list_rows(images.all()), {.truncate = Truncate::no, .digests = Digests::show, .now = kNow});
    REQUIRE(rendered.has_value());
    std::string const& table = *rendered;
    CHECK_THAT(table, Catch::Matchers::StartsWith("REPOSITORY   TAG       DIGEST   "));
    CHECK_THAT(table, Contains(sha256("manifest").to_string()));
    CHECK_THAT(table, Contains(sha256("x").to_string()));
}

TEST_CASE("a name without tag is shown by its digest", "[tools][images]") {
    Images images;
    std::string const digest = sha256("manifest").to_string();
    images.put(image("x", "", {"docker.io/library/x@" + digest}));
    auto const rows = list_rows(images.all());
    REQUIRE(rows.size() == 1);
    CHECK(rows[0].repository == "x");
    CHECK(rows[0].tag == "<none>");
    CHECK(rows[0].digest == digest);
}

TEST_CASE("with its last name in a repository an image loses the digest there", "[tools][rmi]") {
    Images images;
    Image one = image("x", "", {"docker.io/library/x:1", "docker.io/library/x:2", "quay.io/x:1"});
    one.manifest = sha256("manifest");
    images.put(one);
    std::string const digest = sha256("manifest").to_string();
    CHECK(removal(images, "x:1") == Lines{"Untagged: x:1"});
    CHECK(images.untag("docker.io/library/x:2"));
    CHECK(removal(images, "x:1") == Lines{"Untagged: x:1", "Untagged: x@" + digest});
    CHECK(removal(images, sha256("x").to_string(), Force::yes) ==
          Lines{"Untagged: x:1", "Untagged: quay.io/x:1", "Untagged: x@" + digest,
                "Untagged: quay.io/x@" + digest, "Deleted: " + sha256("x").to_string()});
}

TEST_CASE("a reference matches names in both forms, and no part of them", "[tools][images]") {
    auto const rows = list_rows(some_images().all());
    auto matching = [&](std::string_view pattern) {
        return std::ranges::count_if(
            rows, [&](ImageRow const& row) { return matches_reference(row, pattern); });
    };
    auto const [pattern, expected] = GENERATE(table<std::string, long>({
        {"debian", 2},
        {"debian:12", 1},
        {"docker.io/library/debian", 2},
        {"docker.io/library/debian:latest", 1},
        {"deb", 0},
        {"deb*", 2},
        {"*", 2},  // a star does not cross a slash
        {"*:latest", 1},
        {"*/*", 1},
        {"user/app:[0-9]", 1},
        {"quay.io/*/tool", 1},
        {"<none>", 0},
        {"**:latest", 1},
        {"**", 4},
        {"quay.io/**", 1},
        {"**/app:?", 1},
        {"[c-e]ebian", 2},
        {"[^c]ebian:1[0-9]", 1},
        {"deb\\ian:12", 1},
        {"deb[", 0},
    }));
    CAPTURE(pattern);
    CHECK(matching(pattern) == expected);
}

TEST_CASE("removing one of several names keeps the image", "[tools][rmi]") {
    CHECK(removal(some_images(), "debian:12") == Lines{"Untagged: debian:12"});
}

TEST_CASE("removing the last name removes the image", "[tools][rmi]") {
    CHECK(removal(some_images(), "user/app:1") ==
          Lines{"Untagged: user/app:1", "Deleted: " + sha256("timeless").to_string()});
}

TEST_CASE("the digests of a repository go with its last tag", "[tools][rmi]") {
    Images images;
    std::string const digest = sha256("m").to_string();
    images.put(image("x", "", {"docker.io/library/x:1", "docker.io/library/x@" + digest}));
    CHECK(removal(images, "x:1") ==
          Lines{"Untagged: x:1", "Untagged: x@" + digest, "Deleted: " + sha256("x").to_string()});
}

TEST_CASE("an id removes all names of one repository", "[tools][rmi]") {
    CHECK(removal(some_images(), hex12("old")) == Lines{"Untagged: debian:12",
                                                        "Untagged: debian:latest",
                                                        "Deleted: " + sha256("old").to_string()});
    CHECK(removal(some_images(), hex12("dangling")) ==
          Lines{"Deleted: " + sha256("dangling").to_string()});
}

TEST_CASE("an id with names in several repositories needs force", "[tools][rmi]") {
    Images images;
    images.put(image("x", "", {"docker.io/library/a:1", "docker.io/library/b:1"}));
    CHECK_THAT(removal(images, hex12("x")).front(),
               Contains("(must be forced) - image is referenced in multiple repositories"));
    CHECK(removal(images, hex12("x"), Force::yes).size() == 3);
}

TEST_CASE("an image in use names its user and the way out", "[tools][rmi]") {
    std::vector<ImageUse> const uses{
        {.image = sha256("timeless"), .holder = "container web", .release = "oblea rm web"}};
    auto const refusal = removal(some_images(), "user/app:1", Force::no, uses);
    CHECK_THAT(refusal.front(), Contains("container web"));
    CHECK_THAT(refusal.front(), Contains("'oblea rm web'"));
    CHECK(removal(some_images(), "user/app:1", Force::yes, uses) == Lines{"Untagged: user/app:1"});
    SECTION("but one of several names can go") {
        std::vector<ImageUse> const used{
            {.image = sha256("old"), .holder = "container web", .release = "oblea rm web"}};
        CHECK(removal(some_images(), "debian:12", Force::no, used) == Lines{"Untagged: debian:12"});
    }
}

TEST_CASE("a parent of other images stays", "[tools][rmi]") {
    Images images = some_images();
    Image child = image("child", "", {"docker.io/library/child:1"});
    child.parent = sha256("timeless");
    images.put(child);
    CHECK(removal(images, "user/app:1") == Lines{"Untagged: user/app:1"});
    CHECK_THAT(removal(images, hex12("timeless"), Force::yes).front(),
               Contains("(cannot be forced) - image has dependent child images"));
}

TEST_CASE("what is not there is named", "[tools][rmi]") {
    CHECK_THAT(removal(some_images(), "nosuch").front(), Contains("nosuch:latest"));
}

TEST_CASE("parents without a name go with their last child", "[tools][rmi]") {
    Images images;
    images.put(image("base", "", {"docker.io/library/base:1"}));
    Image middle = image("middle", "", {});
    middle.parent = sha256("base");
    images.put(middle);
    Image top = image("top", "", {"docker.io/library/top:1"});
    top.parent = middle.id;
    images.put(top);
    Lines const both{"Untagged: top:1", "Deleted: " + top.id.to_string(),
                     "Deleted: " + middle.id.to_string()};
    auto const lines = [&](RemoveOptions const& options, std::vector<ImageUse> const& uses = {}) {
        auto const plan = plan_remove(images, uses, "top:1", options);
        return plan.has_value() ? describe_removal(*plan) : Lines{plan.error().message()};
    };
    CHECK(lines({}) == both);
    CHECK(lines({.parents = Parents::keep}) == Lines{both[0], both[1]});
    CHECK(lines({}, {{.image = middle.id, .holder = "container x", .release = ""}}) ==
          Lines{both[0], both[1]});
    SECTION("but not those that another image was made from") {
        Image other = image("other", "", {"docker.io/library/other:1"});
        other.parent = middle.id;
        images.put(other);
        CHECK(lines({}) == Lines{both[0], both[1]});
    }
    SECTION("prune takes them the same way, and leaves what is used") {
        auto const plan = plan_prune(images, {}, *images.find(top.id));
        CHECK(describe_removal(plan) == both);
        CHECK(plan_prune(images, {}, *images.find(middle.id)).remove.empty());
        apply_removal(images, plan);
        CHECK(images.all().size() == 1);
        std::vector<ImageUse> const used{
            {.image = sha256("base"), .holder = "container x", .release = ""}};
        CHECK(plan_prune(images, used, *images.find(sha256("base"))).remove.empty());
    }
}

TEST_CASE("a running user of an image cannot be forced away by its id", "[tools][rmi]") {
    std::vector<ImageUse> const uses{{.image = sha256("timeless"),
                                      .holder = "container web",
                                      .release = "oblea rm -f web",
                                      .state = ImageUse::State::running}};
    CHECK(removal(some_images(), hex12("timeless"), Force::yes, uses) ==
          Lines{"conflict: unable to delete " + hex12("timeless") +
                " (cannot be forced) - image is being used by running container web; 'oblea rm -f "
                "web' frees it"});
    CHECK(removal(some_images(), "user/app:1", Force::no, uses) ==
          Lines{"conflict: unable to remove repository reference \"user/app:1\" (must force) - "
                "container web is using its referenced image " +
                hex12("timeless") + "; 'oblea rm -f web' frees it"});
}

TEST_CASE("history is shown newest first, each step with its layer", "[tools][history]") {
    std::vector<HistoryEntry> const entries{
        {.created = "2023-11-14T20:13:20Z", .created_by = "ADD root"},
        {.created = "2023-11-14T21:13:20Z", .created_by = "ENV A=1", .empty_layer = true},
        {.created = "1970-01-01T00:00:00Z",
         .created_by = "RUN \tsomething that is far too long to be shown in one line",
         .comment = "why"}};
    std::vector<std::uint64_t> const bytes{72'900'000, 5};
    std::vector<Ancestor> const ancestors{{.id = sha256("base"), .history_length = 1}};
    auto const rows = history_rows(sha256("top"), entries, bytes, ancestors);
    REQUIRE(rows.has_value());
    CHECK(render_history(*rows, {.now = kNow}) ==
          "IMAGE          CREATED             CREATED BY                                      SIZE "
          "     COMMENT\n" +
              hex12("top") +
              "   N/A                 RUN  something that is far too long to be sh…   5B        "
              "why\n" +
              "<missing>      About an hour ago   ENV A=1                                         "
              "0B        \n" +
              hex12("base") +
              "   2 hours ago         ADD root                                        72.9MB    "
              "\n");
    CHECK(render_history(*rows, {.quiet = Quiet::yes}) ==
          hex12("top") + "\n<missing>\n" + hex12("base") + "\n");
    CHECK(render_history(*rows, {.format = "{{.Size}} {{.Comment}}", .human = Human::no}) ==
          "5 why\n0 \n72900000 \n");
}

TEST_CASE("a history with more steps than layers is refused", "[tools][history]") {
    std::vector<HistoryEntry> const entries{{.created_by = "a"}, {.created_by = "b"}};
    std::vector<std::uint64_t> const bytes{1};
    auto const rows = history_rows(sha256("top"), entries, bytes, {});
    REQUIRE_FALSE(rows.has_value());
    CHECK(rows.error().message() == "too many non-empty layers in History section");
}
