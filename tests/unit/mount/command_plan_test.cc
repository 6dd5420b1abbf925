// SPDX-License-Identifier: MIT
#include "tests/support/catch.h"
#include "tools/mount/chroot.h"
#include "tools/mount/command_plan.h"

using namespace oblea;
using namespace oblea::tools;
using Texts = std::vector<std::string>;

TEST_CASE("an image's defaults are read from its config", "[mount][command]") {
    auto const defaults = parse_image_defaults(
        R"({"architecture":"amd64","config":{"Env":["A=1"],"Entrypoint":["/e"],"Cmd":["c","d"],)"
        R"("WorkingDir":"/w","User":"ana:audio"}})");
    REQUIRE(defaults.has_value());
    CHECK(defaults->env == Texts{"A=1"});
    CHECK(defaults->entrypoint == Texts{"/e"});
    CHECK(defaults->command == Texts{"c", "d"});
    CHECK(defaults->workdir == "/w");
    CHECK(defaults->user == "ana:audio");

    SECTION("null and absent fields are empty") {
        auto const empty = parse_image_defaults(R"({"config":{"Env":null,"Cmd":null}})");
        REQUIRE(empty.has_value());
        CHECK(empty->env.empty());
        CHECK(parse_image_defaults("{}")->workdir.empty());
        CHECK(parse_image_defaults(R"({"config":null})")->command.empty());
    }
    SECTION("other types are an error") {
        CHECK(parse_image_defaults(R"({"config":{"Env":[1]}})").error().code == Errno::einval);
        CHECK(parse_image_defaults(R"({"config":{"WorkingDir":7}})").error().code == Errno::einval);
        CHECK(parse_image_defaults("[]").error().code == Errno::einval);
    }
}

TEST_CASE("what is asked for goes before the image's command", "[mount][command]") {
    ImageDefaults image;
    CHECK(plan_command(image, {}) == Texts{"/bin/sh"});
    image.command = {"bash"};
    CHECK(plan_command(image, {}) == Texts{"bash"});
    image.entrypoint = {"/init", "-x"};
    CHECK(plan_command(image, {}) == Texts{"/init", "-x", "bash"});
    CHECK(plan_command(image, {"ls", "-l"}) == Texts{"ls", "-l"});
}

TEST_CASE("the environment joins image, caller and wishes without doubles", "[mount][command]") {
    EnvironmentSources sources{.image = {"PATH=/image", "LANG=C", "novalue"},
                               .asked = {"LANG=de", "EDITOR", "ABSENT", "EMPTY="},
                               .caller = {"TERM=xterm", "EDITOR=vi", "SECRET=1", "PATH=/caller"},
                               .home = "/home/ana"};
    CHECK(plan_environment(sources).value() ==
          Texts{"PATH=/image", "HOME=/home/ana", "TERM=xterm", "LANG=de", "EDITOR=vi", "EMPTY="});
    SECTION("PATH and HOME are there even when nobody names them") {
        auto const plain = plan_environment({.image = {}, .asked = {}, .caller = {}, .home = "/"});
        REQUIRE(plain->size() == 2);
        CHECK(plain->at(0).starts_with("PATH=/usr/local/sbin:"));
        CHECK(plain->at(1) == "HOME=/");
    }
    SECTION("a wish without a name is refused") {
        sources.asked = {"=x"};
        CHECK(plan_environment(sources).error().code == Errno::einval);
    }
}

TEST_CASE("folders are told from images by how they begin", "[mount][command]") {
    for (char const* folder : {"/", "/srv/root", ".", "..", "./x", "../x"}) {
        CAPTURE(folder);
        CHECK(looks_like_folder(folder));
    }
    for (char const* image : {"debian", "debian:12", "a/b", ".hidden", "x/.", ""}) {
        CAPTURE(image);
        CHECK_FALSE(looks_like_folder(image));
    }
}
