// SPDX-License-Identifier: MIT
// What a build decides before anything is done: stages, variables, configs and texts.
#include "tools/build/plan.h"

#include "tests/support/catch.h"
#include "tools/build/metadata.h"

using namespace oblea;
using namespace oblea::tools;
using namespace oblea::tools::build;

namespace {

using Texts = std::vector<std::string>;

dockerfile::Dockerfile parsed(std::string const& text) {
    auto file = dockerfile::parse_dockerfile(text, "Dockerfile");
    REQUIRE(file.has_value());
    return *std::move(file);
}

Scope no_variables() {
    return {{}, {}};
}

std::vector<std::size_t> stages_of(BuildPlan const& plan) {
    std::vector<std::size_t> stages;
    for (StagePlan const& stage : plan.stages) {
        stages.push_back(stage.stage);
    }
    return stages;
}

// The text that an instruction gives, and the config after it.
std::pair<std::string, nlohmann::json> applied(std::string const& instruction,
                                               nlohmann::json config = nlohmann::json::object(),
                                               OwnCmd own_cmd = OwnCmd::no) {
    auto const file = parsed("FROM scratch\n" + instruction + '\n');
    auto const expanded =
        dockerfile::expand(file.stages.front().instructions.front(), '\\',
                           [](std::string_view) { return std::optional<std::string>{}; });
    REQUIRE(expanded.has_value());
    std::string text = apply_metadata(config, *expanded, own_cmd);
    return {std::move(text), std::move(config)};
}

}  // namespace

TEST_CASE("only the stages that the target needs are built", "[build][plan]") {
    auto const file = parsed("FROM debian AS base\n"
                             "FROM base AS left\n"
                             "FROM base AS right\n"
                             "FROM debian AS unused\n"
                             "FROM scratch\n"
                             "COPY --from=left /a /\n"
                             "COPY --from=2 /b /\n"
                             "COPY --from=busybox /c /\n");
    auto const plan = plan_build(file, "", no_variables());
    REQUIRE(plan.has_value());
    CHECK(stages_of(*plan) == std::vector<std::size_t>{0, 1, 2, 4});
    CHECK(plan->steps == 7);
    CHECK(plan->stages.back().needs == std::vector<std::size_t>{1, 2});
    CHECK(plan->stages.back().first_step == 4);
    CHECK(plan->stages.back().base.kind == StageBase::Kind::scratch);
    CHECK(plan->stages[1].base.kind == StageBase::Kind::stage);
    CHECK(stages_of(plan_build(file, "RIGHT", no_variables()).value()) ==
          std::vector<std::size_t>{0, 2});
    CHECK(stages_of(plan_build(file, "3", no_variables()).value()) == std::vector<std::size_t>{3});
}

TEST_CASE("a plan says which target or stage there is not", "[build][plan]") {
    auto const file = parsed("FROM debian AS one\nCOPY --from=1 /a /\n");
    auto const later = plan_build(file, "", no_variables());
    REQUIRE(!later.has_value());
    CHECK(later.error().message().find("invalid from flag value 1") != std::string::npos);
    CHECK(later.error().message().find("Dockerfile:2") != std::string::npos);
    auto const missing = plan_build(file, "two", no_variables());
    REQUIRE(!missing.has_value());
    CHECK(missing.error().message().find("failed to reach build target two") != std::string::npos);
}

TEST_CASE("arguments before the first FROM name base images", "[build][plan]") {
    auto const file = parsed("ARG BASE=debian\nARG TAG=${BASE}-tag\nFROM $BASE:$TAG\n");
    auto const standard = plan_build(file, "", no_variables());
    REQUIRE(standard.has_value());
    CHECK(standard->stages.front().base.image == "debian:debian-tag");
    CHECK(standard->stages.front().first_step == 3);
    auto const given = plan_build(file, "", Scope{{{"BASE", "alpine"}}, {}});
    REQUIRE(given.has_value());
    CHECK(given->stages.front().base.image == "alpine:alpine-tag");
    CHECK(given->global.consumed() == std::set<std::string>{"BASE"});
    CHECK(!plan_build(parsed("ARG BASE\nFROM $BASE\n"), "", no_variables()).has_value());
}

TEST_CASE("a stage has the arguments that it declares", "[build][scope]") {
    Scope global{{{"given", "yes"}, {"HTTP_PROXY", "proxy"}}, {{"TARGETARCH", "amd64"}}};
    global.declare("outside", "global");
    global.declare("given", "standard");
    Scope stage = global.of_stage();
    CHECK(!stage.find("outside", {}).has_value());
    stage.declare("outside", std::nullopt);
    stage.declare("own", "standard");
    stage.declare("given", "standard");
    stage.declare("TARGETARCH", std::nullopt);
    stage.declare("nothing", std::nullopt);
    CHECK(stage.find("outside", {}) == "global");
    CHECK(stage.find("own", {}) == "standard");
    CHECK(stage.find("given", {}) == "yes");
    CHECK(stage.find("TARGETARCH", {}) == "amd64");
    CHECK(!stage.find("nothing", {}).has_value());
    CHECK(stage.find("own", {"own=environment"}) == "environment");
    CHECK(stage.for_key({"own=environment"}) ==
          Texts{"TARGETARCH=amd64", "given=yes", "outside=global"});
    CHECK(stage.for_run({"own=environment"}) ==
          Texts{"HTTP_PROXY=proxy", "TARGETARCH=amd64", "given=yes", "outside=global"});
    CHECK(stage.consumed() == std::set<std::string>{"given"});
}

TEST_CASE("instructions change the config as docker's do", "[build][metadata]") {
    auto const [env, with_env] = applied("ENV A=1 B=\"two words\"", {{"Env", {"A=0", "C=3"}}});
    CHECK(env == "ENV A=1 B=two words");
    CHECK(with_env["Env"] == Texts{"A=1", "C=3", "B=two words"});

    auto const [cmd, with_cmd] = applied("CMD echo hi");
    CHECK(cmd == R"(CMD ["/bin/sh" "-c" "echo hi"])");
    CHECK(with_cmd["Cmd"] == Texts{"/bin/sh", "-c", "echo hi"});
    CHECK(applied("CMD x", {{"Shell", {"/bin/bash", "-ec"}}}).second["Cmd"] ==
          Texts{"/bin/bash", "-ec", "x"});

    auto const [expose, with_ports] = applied("EXPOSE 80 8000-8001/udp");
    CHECK(expose.starts_with("EXPOSE 80"));
    CHECK(with_ports["ExposedPorts"].size() == 3);
    CHECK(with_ports["ExposedPorts"].contains("8001/udp"));

    CHECK(applied("WORKDIR sub", {{"WorkingDir", "/work"}}).second["WorkingDir"] == "/work/sub");
    CHECK(applied("WORKDIR ../x/", {{"WorkingDir", "/work"}}).first == "WORKDIR /x");
    CHECK(applied("HEALTHCHECK NONE").second["Healthcheck"]["Test"] == Texts{"NONE"});
    CHECK(applied("HEALTHCHECK --interval=5s CMD true").second["Healthcheck"]["Interval"] ==
          5'000'000'000);
}

TEST_CASE("an ENTRYPOINT drops a CMD that the base has, and not one of its own",
          "[build][metadata]") {
    nlohmann::json const config = {{"Cmd", {"bash"}}};
    CHECK(!applied("ENTRYPOINT [\"x\"]", config).second.contains("Cmd"));
    CHECK(applied("ENTRYPOINT [\"x\"]", config, OwnCmd::yes).second["Cmd"] == Texts{"bash"});
}

TEST_CASE("the history tells what a RUN depends on", "[build][metadata]") {
    CHECK(run_text({"/bin/sh", "-c", "make"}, {}, "") == "/bin/sh -c make");
    CHECK(run_text({"/bin/sh", "-c", "make"}, {"A=1", "B=2"}, "abc") ==
          "|2 A=1 B=2 /bin/sh -c make # abc");
    CHECK(nop_text(settings_of(nlohmann::json::object()), " CMD") == "/bin/sh -c #(nop)  CMD");
}

TEST_CASE("paths are those of the image, and lead nowhere else", "[build][metadata]") {
    CHECK(absolute_path("/work", "a/./b//c/") == "/work/a/b/c");
    CHECK(absolute_path("/work", "../../../etc") == "/etc");
    CHECK(absolute_path("", "") == "/");
    CHECK(absolute_path("/work", "/") == "/");
}
