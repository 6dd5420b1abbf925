// SPDX-License-Identifier: MIT
#include "tools/registry/credentials/auth_file.h"

#include "tests/support/catch.h"
#include "tools/registry/base64.h"

#include <tuple>

using namespace oblea;
using namespace oblea::registry;

namespace {

AuthFile document(std::string_view text) {
    auto parsed = AuthFile::parse(text, AuthFile::Form::config, "config.json");
    REQUIRE(parsed.has_value());
    return *std::move(parsed);
}

// The user whom the document has for a repository; "-" for none.
std::string user(AuthFile const& file, std::string_view domain, std::string_view path = "") {
    auto const found = file.find(domain, path);
    REQUIRE(found.has_value());
    return found->has_value() ? (*found)->username : "-";
}

std::string entry(std::string const& name) {
    return R"({"auth":")" + encode_base64(name + ":pw") + R"("})";
}

}  // namespace

TEST_CASE("base64 goes both ways for every length", "[registry][base64]") {
    auto const [plain, encoded] = GENERATE(table<std::string, std::string>({
        {"", ""},
        {"f", "Zg=="},
        {"fo", "Zm8="},
        {"foo", "Zm9v"},
        {"foob", "Zm9vYg=="},
        {std::string("\xff\xfe\x00", 3), "//4A"},
    }));
    CHECK(encode_base64(plain) == encoded);
    CHECK(decode_base64(encoded) == plain);
}

TEST_CASE("what is no base64 is refused", "[registry][base64]") {
    auto const text = GENERATE("Z", "Zg", "Zg=", "=", "Zg==Zg==", "Z=g=", "Zm9v!", "Zg===");
    CAPTURE(text);
    CHECK_FALSE(decode_base64(text).has_value());
}

TEST_CASE("a credential is found under every spelling of its key", "[registry][credentials]") {
    auto const [key, domain] = GENERATE(table<std::string, std::string>({
        {"https://index.docker.io/v1/", "docker.io"},
        {"index.docker.io", "docker.io"},
        {"docker.io", "docker.io"},
        {"registry-1.docker.io", "docker.io"},
        {"quay.io", "quay.io"},
        {"https://quay.io", "quay.io"},
        {"https://quay.io/v2/", "quay.io"},
        {"http://localhost:5000/v1/", "localhost:5000"},
    }));
    CAPTURE(key);
    auto const file = document(R"({"auths":{")" + key + R"(":)" + entry("ann") + "}}");
    CHECK(user(file, domain, "a/b") == "ann");
    CHECK(user(file, "other.io", "a/b") == "-");
    CHECK(user(file, "localhost", "a/b") == "-");
}

TEST_CASE("the most specific key wins, and a namespace's key is for it alone",
          "[registry][credentials]") {
    auto const file =
        document(R"({"auths":{"h.io":)" + entry("host") + R"(,"h.io/a":)" + entry("space") +
                 R"(,"h.io/a/b":)" + entry("repository") + R"(,"only.io/x":)" + entry("x") + "}}");
    CHECK(user(file, "h.io", "a/b") == "repository");
    CHECK(user(file, "h.io", "a/c") == "space");
    CHECK(user(file, "h.io", "ab/c") == "host");
    CHECK(user(file, "h.io") == "host");
    CHECK(user(file, "only.io", "y") == "-");
    CHECK(user(file, "only.io") == "-");
}

TEST_CASE("tokens and the split at the first colon", "[registry][credentials]") {
    auto const file = document(R"({"auths":{"a":{"auth":")" + encode_base64("u:p:q") +
                               R"("},"b":{"auth":")" + encode_base64(std::string("u:p\0\0", 5)) +
                               R"(","identitytoken":"idt"},"c":{"registrytoken":"rt"}}})");
    CHECK((*file.find("a", ""))->password.reveal() == "p:q");
    CHECK((*file.find("b", ""))->password.reveal() == "p");
    CHECK((*file.find("b", ""))->identity_token.reveal() == "idt");
    CHECK((*file.find("c", ""))->registry_token.reveal() == "rt");
}

TEST_CASE("a malformed entry is an error that does not quote it", "[registry][credentials]") {
    auto const value = GENERATE(R"({"auth":"c2VjcmV0"})", R"({"auth":"sec!ret"})", R"("secret")");
    auto const file = document(R"({"auths":{"h.io":)" + std::string{value} + "}}");
    auto const found = file.find("h.io", "");
    REQUIRE_FALSE(found.has_value());
    CHECK_THAT(found.error().message(), Catch::Matchers::Contains("h.io"));
    CHECK_THAT(found.error().message(), !Catch::Matchers::Contains("sec"));
}

TEST_CASE("what is no document is refused", "[registry][credentials]") {
    auto const text = GENERATE("[]", "{", "1", R"({"auths":[]})");
    CHECK_FALSE(AuthFile::parse(text, AuthFile::Form::config, "x").has_value());
}

TEST_CASE("changing a document keeps what is not ours, in its order", "[registry][credentials]") {
    auto file =
        document(R"({"zeta":1,"auths":{"https://h.io/v1/":{},"i.io":{"auth":"dTpw","x":2}},)"
                 R"("HttpHeaders":{"A":"b"},"credHelpers":{"j.io":"j"}})");
    file.put("h.io", {.username = "u", .password = Secret{"p"}});
    CHECK(file.encode() == "{\n\t\"zeta\": 1,\n\t\"auths\": {\n\t\t\"i.io\": {\n\t\t\t\"auth\": "
                           "\"dTpw\",\n\t\t\t\"x\": 2\n\t\t},\n\t\t\"h.io\": {\n\t\t\t\"auth\": "
                           "\"dTpw\"\n\t\t}\n\t},\n\t\"HttpHeaders\": {\n\t\t\"A\": "
                           "\"b\"\n\t},\n\t\"credHelpers\": {\n\t\t\"j.io\": \"j\"\n\t}\n}\n");
    CHECK(file.erase("h.io"));
    CHECK_FALSE(file.erase("h.io"));
    CHECK(user(file, "h.io") == "-");
    CHECK(user(file, "i.io") == "u");
}

TEST_CASE("Docker Hub is stored under docker's key", "[registry][credentials]") {
    AuthFile file;
    file.put("docker.io", {.username = "u", .password = Secret{"p"}});
    CHECK_THAT(file.encode(), Catch::Matchers::Contains("\"https://index.docker.io/v1/\""));
}

TEST_CASE("a registry's own helper goes before the common one", "[registry][credentials]") {
    auto const file = document(R"({"credsStore":"all","credHelpers":{"h.io":"own",)"
                               R"("https://index.docker.io/v1/":"hub"}})");
    CHECK(file.helper("h.io") == "own");
    CHECK(file.helper("docker.io") == "hub");
    CHECK(file.helper("i.io") == "all");
    CHECK_FALSE(document("{}").helper("h.io").has_value());
}

TEST_CASE("the old form is a bare list of registries", "[registry][credentials]") {
    auto const file = AuthFile::parse(R"({"https://index.docker.io/v1/":)" + entry("old") + "}",
                                      AuthFile::Form::dockercfg, ".dockercfg");
    REQUIRE(file.has_value());
    CHECK(user(*file, "docker.io", "library/debian") == "old");
}
