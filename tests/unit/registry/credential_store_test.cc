// SPDX-License-Identifier: MIT
#include "tools/registry/credentials/credential_store.h"

#include "tests/support/catch.h"
#include "tests/support/temp_dir.h"
#include "tools/registry/credentials/credential_helper.h"

#include <cstdlib>
#include <map>

using namespace oblea;
using namespace oblea::registry;

namespace {

// A folder in front of PATH for as long as it lives.
class PathPrefix {
public:
    explicit PathPrefix(std::string const& folder) : old_(std::getenv("PATH")) {
        ::setenv("PATH", (folder + ':' + old_).c_str(), 1);
    }
    PathPrefix(PathPrefix const&) = delete;
    PathPrefix& operator=(PathPrefix const&) = delete;
    ~PathPrefix() { ::setenv("PATH", old_.c_str(), 1); }

private:
    std::string old_;
};

void write(std::string const& path, std::string_view text, mode_t mode = 0600) {
    REQUIRE(base::sys::replace_file(AT_FDCWD, path.c_str(), text, mode, base::sys::Sync::no)
                .has_value());
}

std::string read(std::string const& path) {
    return base::sys::read_file(AT_FDCWD, path.c_str(), 1U << 20U).value();
}

CredentialStore store_with(std::string const& path) {
    CredentialPlaces places;
    places.files.push_back({.path = path});
    return CredentialStore{std::move(places)};
}

// A helper that keeps one secret in a file beside it and logs its arguments.
constexpr char const* kHelper = R"sh(#!/bin/sh
cd "$(dirname "$0")" || exit 1
echo "$@" >>arguments
case $1 in
get) read -r key; test -f kept || { echo "credentials not found in native keychain"; exit 1; }
     cat kept ;;
store) cat >kept ;;
erase) rm -f kept ;;
esac
)sh";

}  // namespace

TEST_CASE("the places of credentials follow the environment", "[registry][credentials]") {
    std::map<std::string, std::string> variables;
    auto const plan = [&] {
        return CredentialPlaces::plan(
            [&](char const* name) -> std::optional<std::string> {
                auto const at = variables.find(name);
                return at == variables.end() ? std::nullopt : std::optional{at->second};
            }  // namespace
            ,
            "/home/u");
    };
    auto const bare = plan();
    REQUIRE(bare.files.size() == 3);
    CHECK(bare.files[0].path == "/home/u/.docker/config.json");
    CHECK(bare.files[1].path == "/home/u/.config/containers/auth.json");
    CHECK(bare.files[2].path == "/home/u/.dockercfg");
    CHECK(bare.files[2].form == AuthFile::Form::dockercfg);
    variables = {{"DOCKER_CONFIG", "/d"},
                 {"REGISTRY_AUTH_FILE", "/r.json"},
                 {"XDG_RUNTIME_DIR", "/run/u"},
                 {"XDG_CONFIG_HOME", "/x"},
                 {"DOCKER_AUTH_CONFIG", "{}"}};
    auto const full = plan();
    REQUIRE(full.files.size() == 5);
    CHECK(full.document == "{}");
    CHECK(full.files[0].path == "/r.json");
    CHECK(full.files[1].path == "/d/config.json");
    CHECK(full.files[2].path == "/run/u/containers/auth.json");
    CHECK(full.files[3].path == "/x/containers/auth.json");
}

TEST_CASE("what is stored is found, private, and replaces nothing else",
          "[registry][credentials]") {
    test::TempDir const dir;
    std::string const path = dir / "new/config.json";
    auto const store = store_with(path);
    auto const stored = store.put("h.io", {.username = "ann", .password = Secret{"pa:ss"}});
    REQUIRE(stored.has_value());
    CHECK(stored->kind == CredentialStore::Stored::Kind::plain_text);
    CHECK(stored->place == path);
    auto const info = base::sys::fstatat(AT_FDCWD, path.c_str());
    CHECK((info->st_mode & 07777U) == 0600);
    CHECK((base::sys::fstatat(AT_FDCWD, (dir / "new").c_str())->st_mode & 07777U) == 0700);
    REQUIRE(store.put("i.io", {.username = "bob", .password = Secret{"x"}}).has_value());
    auto const found = store.find("h.io", "a/b");
    REQUIRE(found.credential.has_value());
    CHECK(found.credential->username == "ann");
    CHECK(found.credential->password.reveal() == "pa:ss");
    CHECK(found.warnings.empty());
    CHECK(store.erase("h.io").value());
    CHECK_FALSE(store.erase("h.io").value());
    CHECK_FALSE(store.find("h.io", "").credential.has_value());
    CHECK(store.find("i.io", "").credential.has_value());
}

TEST_CASE("a file open to others is closed to them when it is written", "[registry][credentials]") {
    test::TempDir const dir;
    write(dir / "config.json", R"({"psFormat":"x"})", 0644);
    REQUIRE(store_with(dir / "config.json")
                .put("h.io", {.username = "u", .password = Secret{"p"}})
                .has_value());
    CHECK((base::sys::fstatat(AT_FDCWD, (dir / "config.json").c_str())->st_mode & 07777U) == 0600);
    CHECK_THAT(read(dir / "config.json"), Catch::Matchers::Contains("\"psFormat\": \"x\""));
}

TEST_CASE("a linked file is changed where it is", "[registry][credentials]") {
    test::TempDir const dir;
    write(dir / "real.json", "{}");
    REQUIRE(base::sys::symlinkat("real.json", AT_FDCWD, (dir / "config.json").c_str()).has_value());
    REQUIRE(store_with(dir / "config.json")
                .put("h.io", {.username = "u", .password = Secret{"p"}})
                .has_value());
    CHECK(base::sys::readlinkat(AT_FDCWD, (dir / "config.json").c_str()).value() == "real.json");
    CHECK_THAT(read(dir / "real.json"), Catch::Matchers::Contains("h.io"));
}

TEST_CASE("a malformed file is left as it is", "[registry][credentials]") {
    test::TempDir const dir;
    write(dir / "config.json", "{ nonsense");
    auto const store = store_with(dir / "config.json");
    auto const stored = store.put("h.io", {.username = "u", .password = Secret{"hidden"}});
    REQUIRE_FALSE(stored.has_value());
    CHECK_THAT(stored.error().message(), Catch::Matchers::Contains("config.json"));
    CHECK_THAT(stored.error().message(), !Catch::Matchers::Contains("hidden"));
    CHECK(read(dir / "config.json") == "{ nonsense");
    auto const found = store.find("h.io", "");
    CHECK_FALSE(found.credential.has_value());
    CHECK(found.warnings.size() == 1);
}

TEST_CASE("the first place that knows the registry wins", "[registry][credentials]") {
    test::TempDir const dir;
    write(dir / "a.json", R"({"auths":{"h.io":{"username":"a","password":"p"}}})");
    write(
        dir / "b.json",
        R"({"auths":{"h.io":{"username":"b","password":"p"},"i.io":{"username":"i","password":"p"}}})");
    CredentialPlaces places;
    places.files = {{.path = dir / "a.json"}, {.path = dir / "b.json"}};
    CHECK(CredentialStore{places}.find("h.io", "").credential->username == "a");
    CHECK(CredentialStore{places}.find("i.io", "").credential->username == "i");
    places.document = R"({"auths":{"h.io":{"username":"document","password":"p"}}})";
    CHECK(CredentialStore{places}.find("h.io", "").credential->username == "document");
}

TEST_CASE("secrets go to a helper by its standard input alone", "[registry][credentials]") {
    test::TempDir const dir;
    write(dir / "docker-credential-mine", kHelper, 0700);
    write(dir / "config.json", R"({"credsStore":"mine"})");
    PathPrefix const path{dir.path()};
    auto const store = store_with(dir / "config.json");
    CHECK_FALSE(store.find("h.io", "").credential.has_value());
    auto const stored = store.put("h.io", {.username = "u", .password = Secret{"topsecret"}});
    REQUIRE(stored.has_value());
    CHECK(stored->kind == CredentialStore::Stored::Kind::helper);
    CHECK_THAT(read(dir / "config.json"), !Catch::Matchers::Contains("auth\""));
    CHECK_THAT(read(dir / "kept"), Catch::Matchers::Contains("topsecret"));
    CHECK(store.find("h.io", "").credential->password.reveal() == "topsecret");
    REQUIRE(store.put("h.io", {.identity_token = Secret{"idtoken"}}).has_value());
    CHECK(store.find("h.io", "").credential->identity_token.reveal() == "idtoken");
    CHECK(store.erase("h.io").value());
    CHECK_FALSE(store.find("h.io", "").credential.has_value());
    CHECK_THAT(read(dir / "arguments"), !Catch::Matchers::Contains("h.io") &&
                                            !Catch::Matchers::Contains("token") &&
                                            !Catch::Matchers::Contains("secret"));
}

TEST_CASE("a helper that is missing, fails or chatters is a warning", "[registry][credentials]") {
    test::TempDir const dir;
    PathPrefix const path{dir.path()};
    write(dir / "docker-credential-fails", "#!/bin/sh\necho no luck\nexit 3\n", 0700);
    write(dir / "docker-credential-chatters", "#!/bin/sh\necho hello\n", 0700);
    write(dir / "docker-credential-endless", "#!/bin/sh\nexec cat /dev/zero\n", 0700);
    auto const [helper, words] = GENERATE(table<std::string, std::string>({
        {"missing", "docker-credential-missing"},
        {"fails", "no luck"},
        {"chatters", "not a JSON object"},
        {"endless", "longer than any credential"},
        {"../evil", "cannot be the name"},
    }));
    CAPTURE(helper);
    write(dir / "config.json",
          R"({"credsStore":")" + helper + R"(","auths":{"h.io":{"username":"u","password":"p"}}})");
    auto const found = store_with(dir / "config.json").find("h.io", "");
    CHECK(found.credential.has_value());
    REQUIRE(found.warnings.size() == 1);
    CHECK_THAT(found.warnings[0], Catch::Matchers::Contains(words));
}
