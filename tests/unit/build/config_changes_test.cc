// SPDX-License-Identifier: MIT
#include "tools/build/config_changes.h"

#include "tests/support/catch.h"

#include <nlohmann/json.hpp>

#include <vector>

using namespace oblea;
using nlohmann::json;

namespace {

Result<std::string> changed(json config, std::vector<std::string> const& instructions) {
    OBLEA_TRY(tools::build::apply_config_changes(config, instructions));
    return config.dump();
}

}  // namespace

TEST_CASE("instructions change a config as a Dockerfile does", "[build][config_changes]") {
    json const before = json::parse(R"({"Env":["PATH=/bin","A=1"],"WorkingDir":"/srv"})");
    auto [instruction, key, expected] = GENERATE(table<std::string, std::string, std::string>({
        {R"(CMD ["a", "b c"])", "Cmd", R"(["a","b c"])"},
        {"cmd echo $HOME", "Cmd", R"(["/bin/sh","-c","echo $HOME"])"},
        {R"(ENTRYPOINT ["/init"])", "Entrypoint", R"(["/init"])"},
        {"ENV A=2 B=\"x y\" C=p\\ q", "Env", R"(["PATH=/bin","A=2","B=x y","C=p q"])"},
        {"ENV B the rest of it", "Env", R"(["PATH=/bin","A=1","B=the rest of it"])"},
        {"ENV PATH=$PATH:/sbin", "Env", R"(["PATH=/bin:/sbin","A=1"])"},
        {"EXPOSE 80 53/udp", "ExposedPorts", R"({"53/udp":{},"80/tcp":{}})"},
        {"HEALTHCHECK NONE", "Healthcheck", R"({"Test":["NONE"]})"},
        {"STOPSIGNAL SIGINT", "StopSignal", R"("SIGINT")"},
        {"LABEL a=b 'c d'=e", "Labels", R"({"a":"b","c d":"e"})"},
        {"USER www-data:adm", "User", R"("www-data:adm")"},
        {"WORKDIR sub", "WorkingDir", R"("/srv/sub")"},
        {"WORKDIR /abs", "WorkingDir", R"("/abs")"},
        {R"(VOLUME ["/a b"])", "Volumes", R"({"/a b":{}})"},
        {"VOLUME /a /b", "Volumes", R"({"/a":{},"/b":{}})"},
        {"ONBUILD RUN make", "OnBuild", R"(["RUN make"])"},
    }));
    CAPTURE(instruction);
    auto const after = changed(before, {instruction});
    REQUIRE(after.has_value());
    CHECK(json::parse(*after)[key].dump() == expected);
}

TEST_CASE("an entry point drops the command of the image, not one of the same changes",
          "[build][config_changes]") {
    json const before = json::parse(R"({"Cmd":["old"]})");
    CHECK(changed(before, {R"(ENTRYPOINT ["/init"])"}).value() == R"({"Entrypoint":["/init"]})");
    CHECK(changed(before, {R"(CMD ["new"])", R"(ENTRYPOINT ["/init"])"}).value() ==
          R"({"Cmd":["new"],"Entrypoint":["/init"]})");
}

TEST_CASE("what is no instruction is named", "[build][config_changes]") {
    auto [instruction, part] = GENERATE(table<std::string, std::string>({
        {"FROM x", "--change \"FROM x\": it is not one instruction"},
        {"RUN true", "--change \"RUN true\": RUN is not a valid change command"},
        {"CMD", "--change \"CMD\": CMD requires"},
        {"ENV A=1 B", "B"},
        {"ENV A", "ENV must have two arguments"},
        {"LABEL a=\"b", "LABEL"},
        {"EXPOSE http", "nvalid containerPort: http"},
    }));
    CAPTURE(instruction);
    auto const after = changed(json::object(), {instruction});
    REQUIRE_FALSE(after.has_value());
    CHECK(after.error().code == Errno::einval);
    CHECK_THAT(after.error().message(), Catch::Matchers::Contains(part));
}
