// SPDX-License-Identifier: MIT
#include "tools/registry/conf/endpoints.h"

#include "tests/support/catch.h"
#include "tests/support/temp_dir.h"

using namespace oblea;
using namespace oblea::registry;

namespace {

RegistriesConf conf_of(std::string_view toml) {
    RegistriesConf conf;
    auto const merged = conf.merge_toml(toml, "registries.conf");
    CAPTURE(merged.has_value() ? "" : merged.error().message());
    REQUIRE(merged.has_value());
    return conf;
}

// "host/repository" of each, with "!" behind the insecure ones.
std::vector<std::string> plan(RegistriesConf const& conf, std::string_view name,
                              std::string const& with_certificates = "") {
    auto const planned =
        plan_endpoints(conf, store::Reference::parse(name).value(),
                       [&](std::string const& host) { return host == with_certificates; });
    REQUIRE(planned.has_value());
    std::vector<std::string> texts;
    for (auto const& [endpoint, domain, role] : *planned) {
        texts.push_back(endpoint.host + '/' + endpoint.repository +
                        (endpoint.security == Endpoint::Security::insecure ? "!" : ""));
    }
    return texts;
}

using Texts = std::vector<std::string>;

}  // namespace

TEST_CASE("without configuration a name is at its registry", "[registry][endpoints]") {
    RegistriesConf const none;
    CHECK(plan(none, "debian:12") == Texts{"registry-1.docker.io/library/debian"});
    CHECK(plan(none, "quay.io/a/b") == Texts{"quay.io/a/b"});
    CHECK(plan(none, "localhost:5000/a") == Texts{"localhost:5000/a!"});
    CHECK(plan(none, "127.0.0.1:5000/a") == Texts{"127.0.0.1:5000/a!"});
    CHECK(plan(none, "localhost:5000/a", "localhost:5000") == Texts{"localhost:5000/a"});
    CHECK(plan_login(none, "docker.io", [](auto const&) { return false; }).endpoint.host ==
          "registry-1.docker.io");
}

TEST_CASE("mirrors come before the registry, as far as they may", "[registry][endpoints]") {
    auto const conf = conf_of(R"(
unqualified-search-registries = ["docker.io"]
[[registry]]
prefix = "docker.io/library"
location = "docker.io/library"
[[registry.mirror]]
location = "m1.io/hub"
[[registry.mirror]]
location = "m2.io"
insecure = true
pull-from-mirror = "digest-only"
[[registry.mirror]]
location = "m3.io"
pull-from-mirror = "tag-only"
)");
    CHECK(plan(conf, "debian:12") ==
          Texts{"m1.io/hub/debian", "m3.io/debian", "registry-1.docker.io/library/debian"});
    CHECK(plan(conf, "debian@sha256:" + std::string(64, 'a')) ==
          Texts{"m1.io/hub/debian", "m2.io/debian!", "registry-1.docker.io/library/debian"});
    CHECK(plan(conf, "user/app") == Texts{"registry-1.docker.io/user/app"});
}

TEST_CASE("the longest prefix wins, and ends at a separator", "[registry][endpoints]") {
    auto const conf = conf_of(R"(
[[registry]]
location = "h.io"
insecure = true
[[registry]]
prefix = "h.io/a"
location = "i.io/z"
[[registry]]
prefix = "*.w.io"
location = "w.internal"
)");
    CHECK(plan(conf, "h.io/x") == Texts{"h.io/x!"});
    CHECK(plan(conf, "h.io:80/x") == Texts{"h.io:80/x!"});
    CHECK(plan(conf, "h.io/a/b") == Texts{"i.io/z/b"});
    CHECK(plan(conf, "h.io/ab") == Texts{"h.io/ab!"});
    CHECK(plan(conf, "h.iox/a") == Texts{"h.iox/a"});
    CHECK(plan(conf, "x.y.w.io/a") == Texts{"w.internal/a"});
    CHECK(plan(conf, "w.io/a") == Texts{"w.io/a"});
}

TEST_CASE("a blocked registry and a location that makes no name are refused",
          "[registry][endpoints]") {
    auto const conf = conf_of(R"(
[[registry]]
location = "bad.io"
blocked = true
[[registry]]
prefix = "odd.io"
location = "X Y"
)");
    auto const none = [](auto const&) { return false; };
    CHECK(plan_endpoints(conf, store::Reference::parse("bad.io/a").value(), none).error().code ==
          Errno::eacces);
    CHECK(plan_endpoints(conf, store::Reference::parse("odd.io/a").value(), none).error().code ==
          Errno::einval);
}

TEST_CASE("docker's settings count as they stand", "[registry][endpoints]") {
    RegistriesConf conf;
    REQUIRE(conf.merge_daemon_json(
                    R"({"registry-mirrors":["https://m.io/","http://n.io:5000"],)"
                    R"("insecure-registries":["10.1.0.0/16","h.io:5000","bare.io"],"debug":true})",
                    "daemon.json")
                .has_value());
    CHECK(plan(conf, "debian") == Texts{"m.io/library/debian", "n.io:5000/library/debian!",
                                        "registry-1.docker.io/library/debian"});
    CHECK(plan(conf, "quay.io/a") == Texts{"quay.io/a"});
    CHECK(plan(conf, "10.1.2.3:5000/a") == Texts{"10.1.2.3:5000/a!"});
    CHECK(plan(conf, "10.2.2.3:5000/a") == Texts{"10.2.2.3:5000/a"});
    CHECK(plan(conf, "h.io:5000/a") == Texts{"h.io:5000/a!"});
    CHECK(plan(conf, "h.io/a") == Texts{"h.io/a"});
    CHECK(plan(conf, "bare.io:1/a") == Texts{"bare.io:1/a!"});
}

TEST_CASE("a malformed configuration is refused with its place", "[registry][endpoints]") {
    auto const [toml, words] = GENERATE(table<std::string, std::string>({
        {"a = \nb", "conf: line 1"},
        {"[registry]\nlocation = \"x\"", "not an array of tables"},
        {"[[registry]]\nlocation = 7", "\"location\" is not a string"},
        {"[[registry]]\nlocation = \"x\"\nblocked = \"yes\"", "neither true nor false"},
        {"[[registry]]\nblocked = true", "neither \"prefix\" nor \"location\""},
        {"[[registry]]\nlocation = \"x\"\n[[registry.mirror]]\ninsecure = true", "without"},
        {"[[registry]]\nlocation = \"x\"\n[[registry.mirror]]\nlocation = \"y\"\n"
         "pull-from-mirror = \"never\"",
         "may be all"},
    }));
    CAPTURE(toml);
    RegistriesConf conf;
    auto const merged = conf.merge_toml(toml, "conf");
    REQUIRE_FALSE(merged.has_value());
    CHECK_THAT(merged.error().message(), Catch::Matchers::Contains(words));
    CHECK_FALSE(conf.merge_daemon_json(R"({"registry-mirrors":"x"})", "d").has_value());
    CHECK_FALSE(conf.merge_daemon_json("[", "d").has_value());
}

TEST_CASE("files are read in their order, later ones win", "[registry][endpoints]") {
    test::TempDir const dir;
    auto const write = [&](std::string const& name, std::string_view text) {
        REQUIRE(
            base::sys::replace_file(AT_FDCWD, (dir / name).c_str(), text, 0644, base::sys::Sync::no)
                .has_value());
    };
    REQUIRE(base::sys::mkdir_all(dir / "d", 0755).has_value());
    write("main.conf", "[[registry]]\nlocation=\"h.io\"\nblocked=true\n");
    write("d/20.conf", "[[registry]]\nprefix=\"h.io\"\nlocation=\"b.io\"\n");
    write("d/10.conf", "[[registry]]\nprefix=\"h.io\"\nlocation=\"a.io\"\n");
    write("d/30.txt", "nonsense = \n");
    auto const conf = read_registries_conf({.files = {dir / "none.conf", dir / "main.conf"},
                                            .folders = {dir / "d", dir / "none"},
                                            .daemon_json = dir / "daemon.json"});
    REQUIRE(conf.has_value());
    CHECK(plan(*conf, "h.io/x") == Texts{"b.io/x"});
}
