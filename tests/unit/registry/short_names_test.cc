// SPDX-License-Identifier: MIT
// What names without a domain stand for.
#include "tools/registry/conf/short_names.h"

#include "tests/support/catch.h"

using namespace oblea;
using namespace oblea::registry;

namespace {

using Texts = std::vector<std::string>;

RegistriesConf conf_of(std::string_view text) {
    RegistriesConf conf;
    REQUIRE(conf.merge_toml(text, "registries.conf").has_value());
    return conf;
}

Texts names(RegistriesConf const& conf, std::string_view typed, Terminal terminal = Terminal::no) {
    auto const found = resolve_short_name(conf, typed, terminal);
    REQUIRE(found.has_value());
    Texts texts;
    for (auto const& one : found->candidates) {
        texts.push_back(one.canonical());
    }
    if (found->choice == ShortName::Choice::by_user) {
        texts.emplace_back("?");
    }
    return texts;
}

}  // namespace

TEST_CASE("without settings a short name is docker's", "[registry][short_names]") {
    RegistriesConf const none;
    CHECK(names(none, "debian") == Texts{"docker.io/library/debian:latest"});
    CHECK(names(none, "team/app:1") == Texts{"docker.io/team/app:1"});
    CHECK(names(none, "h.io/app") == Texts{"h.io/app:latest"});
    CHECK(resolve_short_name(none, "A B", Terminal::no).error().code == Errno::einval);
}

TEST_CASE("an alias stands for a whole name, whatever the tag", "[registry][short_names]") {
    auto conf = conf_of(R"(
unqualified-search-registries = ["a.io", "b.io"]
[aliases]
"fedora" = "registry.fedoraproject.org/fedora"
"team/app" = "h.io:5000/x"
"gone" = "h.io/gone"
"half" = "fedora"
)");
    auto const digest = "sha256:" + std::string(64, 'a');
    CHECK(names(conf, "fedora") == Texts{"registry.fedoraproject.org/fedora:latest"});
    CHECK(names(conf, "fedora:40") == Texts{"registry.fedoraproject.org/fedora:40"});
    CHECK(names(conf, "team/app@" + digest) == Texts{"h.io:5000/x@" + digest});
    CHECK(names(conf, "team/app:1@" + digest) == Texts{"h.io:5000/x:1@" + digest});
    CHECK(names(conf, "docker.io/library/fedora") == Texts{"docker.io/library/fedora:latest"});
    CHECK(resolve_short_name(conf, "half", Terminal::no).error().code == Errno::einval);
    // A later file changes it, or takes it away.
    REQUIRE(conf.merge_toml("[aliases]\nfedora = \"q.io/f\"\ngone = \"\"", "x").has_value());
    CHECK(names(conf, "fedora") == Texts{"q.io/f:latest"});
    CHECK(names(conf, "gone") == Texts{"a.io/gone:latest", "b.io/gone:latest"});
}

TEST_CASE("one of several registries is asked for where the mode wants it",
          "[registry][short_names]") {
    std::string const two = "unqualified-search-registries = [\"a.io\", \"docker.io\"]\n";
    Texts const both{"a.io/x:1", "docker.io/library/x:1"};
    Texts const asked{"a.io/x:1", "docker.io/library/x:1", "?"};
    auto const permissive = conf_of(two);
    CHECK(names(permissive, "x:1") == both);
    CHECK(names(permissive, "x:1", Terminal::yes) == asked);
    auto const disabled = conf_of(two + "short-name-mode = \"disabled\"");
    CHECK(names(disabled, "x:1", Terminal::yes) == both);
    auto const enforcing = conf_of(two + "short-name-mode = \"enforcing\"");
    CHECK(names(enforcing, "x:1", Terminal::yes) == asked);
    CHECK(names(enforcing, "h.io/x:1") == Texts{"h.io/x:1"});
    CHECK(resolve_short_name(enforcing, "x:1", Terminal::no).error().code == Errno::einval);
    // One leaves nothing to ask.
    auto const one = conf_of("unqualified-search-registries = [\"a.io\"]\n"
                             "short-name-mode = \"enforcing\"");
    CHECK(names(one, "x", Terminal::yes) == Texts{"a.io/x:latest"});
}

TEST_CASE("settings of short names that make no sense are named", "[registry][short_names]") {
    auto const* const text =
        GENERATE("aliases = 1", "[aliases]\nx = 1", "short-name-mode = \"odd\"",
                 "unqualified-search-registries = \"a.io\"", "unqualified-search-registries = [1]");
    CAPTURE(text);
    RegistriesConf conf;
    CHECK(conf.merge_toml(text, "registries.conf").error().code == Errno::einval);
}
