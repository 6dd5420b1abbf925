// SPDX-License-Identifier: MIT
// Policies and payloads: what they say, and what is refused. Keys and registries:
// e2e_registry_signatures.
#include "tests/support/catch.h"
#include "tools/registry/signature/policy.h"
#include "tools/registry/signature/public_key.h"

using namespace oblea;
using namespace oblea::registry;
using store::Reference;
using Kind = PolicyRequirement::Kind;

namespace {

std::string const kDigest = "sha256:" + std::string(64, 'a');

std::string payload(std::string const& critical) {
    return R"({"critical":)" + critical + R"(,"optional":null})";
}

std::string requirement(std::string const& more) {
    return R"({"default":[{"type":"sigstoreSigned",)" + more + "}]}";
}

bool accepts(SignedIdentity const& identity, char const* image, char const* signed_as) {
    return is_accepted(identity, Reference::parse(image).value(), signed_as);
}

}  // namespace

TEST_CASE("a payload is what cosign writes, and nothing else", "[registry][signature]") {
    std::string const identity = R"("identity":{"docker-reference":"a/b"})";
    std::string const image = R"("image":{"docker-manifest-digest":")" + kDigest + "\"}";
    std::string const type = R"("type":"cosign container image signature")";
    auto const good =
        parse_signed_payload(payload("{" + identity + "," + image + "," + type + "}"));
    REQUIRE(good.has_value());
    CHECK(good->docker_reference == "a/b");
    CHECK(good->manifest.to_string() == kDigest);
    for (auto const& wrong :
         {std::string{}, std::string{"[]"}, payload("{}"), payload("1"),
          payload("{" + identity + "," + image + "}"),
          payload("{" + identity + "," + image + R"(,"type":"atomic container signature"})"),
          payload("{" + identity + "," + image + "," + type + R"(,"more":1})"),
          payload("{" + identity + "," + identity + "," + image + "," + type + "}"),
          payload("{" + identity + R"(,"image":{"docker-manifest-digest":"x"},)" + type + "}"),
          R"({"critical":{)" + identity + "," + image + "," + type + "}}"}) {
        CAPTURE(wrong);
        CHECK_FALSE(parse_signed_payload(wrong).has_value());
    }
}

TEST_CASE("whose image a signature is of", "[registry][signature]") {
    using enum SignedIdentity::Kind;
    std::string const by_digest = "q.io/a/b@" + kDigest;
    SignedIdentity identity;
    CHECK(accepts(identity, "q.io/a/b:1", "q.io/a/b:1"));
    CHECK_FALSE(accepts(identity, "q.io/a/b:1", "q.io/a/b:2"));
    CHECK_FALSE(accepts(identity, "q.io/a/b:1", "q.io/a/b"));
    CHECK(accepts(identity, by_digest.c_str(), "q.io/a/b:2"));
    CHECK_FALSE(accepts(identity, by_digest.c_str(), "q.io/a/c:2"));
    CHECK_FALSE(accepts(identity, "q.io/a/b:1", "not a name"));
    CHECK(accepts(identity, "debian:12", "docker.io/library/debian:12"));
    identity.kind = match_exact;
    CHECK_FALSE(accepts(identity, by_digest.c_str(), "q.io/a/b:2"));
    CHECK(accepts(identity, "q.io/a/b:1", "q.io/a/b:1"));
    identity.kind = match_repository;
    CHECK(accepts(identity, "q.io/a/b:1", "q.io/a/b"));
    CHECK_FALSE(accepts(identity, "q.io/a/b:1", "q.io/a"));
    identity = {.kind = exact_reference, .reference = "r.io/x:1"};
    CHECK(accepts(identity, "q.io/a/b:1", "r.io/x:1"));
    CHECK_FALSE(accepts(identity, "q.io/a/b:1", "r.io/x:2"));
    identity.kind = exact_repository;
    CHECK(accepts(identity, "q.io/a/b:1", "r.io/x:2"));
    identity = {.kind = remap_identity, .prefix = "q.io/a", .signed_prefix = "r.io/x"};
    CHECK(accepts(identity, "q.io/a/b:1", "r.io/x/b:1"));
    CHECK_FALSE(accepts(identity, "q.io/a/b:1", "q.io/a/b:1"));
    CHECK(accepts(identity, "q.io/ab/b:1", "q.io/ab/b:1"));
}

TEST_CASE("the narrowest scope decides", "[registry][signature]") {
    CHECK(scopes_of(Reference::parse("a.b.example.com:5000/team/app:1").value()) ==
          std::vector<std::string>{"a.b.example.com:5000/team/app:1",
                                   "a.b.example.com:5000/team/app", "a.b.example.com:5000/team",
                                   "a.b.example.com:5000", "*.b.example.com", "*.example.com",
                                   "*.com"});
    CHECK(scopes_of_path("/a/b", "x") == std::vector<std::string>{"/a/b:x", "/a/b", "/a"});
    auto const policy = SignaturePolicy::parse(
        R"({"default":[{"type":"reject"}],"transports":{"docker":{
            "docker.io/library":[{"type":"insecureAcceptAnything"}],
            "":[{"type":"signedBy","keyType":"GPGKeys","keyPath":"/k"}]},"strange":{}}})",
        "p");
    REQUIRE(policy.has_value());
    auto const kind = [&](char const* transport, char const* name) {
        return policy->find(transport, scopes_of(Reference::parse(name).value())).front().kind;
    };
    CHECK(kind("docker", "debian:12") == Kind::accept_anything);
    CHECK(kind("docker", "me/app:12") == Kind::not_supported);
    CHECK(kind("strange", "debian:12") == Kind::reject);
    CHECK(kind("oci", "debian:12") == Kind::reject);
}

TEST_CASE("a policy with a fault lets nothing through", "[registry][signature]") {
    for (
        auto const& wrong :
        {std::string{}, std::string{"{}"}, std::string{R"({"default":[]})"},
         std::string{
             R"({"default":[{"type":"reject"}],"default":[{"type":"insecureAcceptAnything"}]})"},
         std::string{R"({"default":[{"type":"reject"}],"more":1})"},
         std::string{R"({"default":[{"type":"Reject"}]})"},
         std::string{R"({"default":[{"type":"reject","x":1}]})"},
         std::string{R"({"default":[{"type":"reject"}],"transports":{"docker":{"a":[]}}})"},
         requirement(R"("keyPath":"/k","keyData":"eA==")"), requirement(R"("keyData":"?")"),
         requirement(R"("keyPaths":[])"), requirement(R"("signedIdentity":{"type":"matchExact"})"),
         requirement(R"("keyPath":"/k","signedIdentity":{"type":"any"})"),
         requirement(R"("keyPath":"/k","signedIdentity":{"type":"matchExact","prefix":"x"})"),
         requirement(
             R"("keyPath":"/k","signedIdentity":{"type":"exactReference","dockerReference":"A B"})")}) {
        CAPTURE(wrong);
        CHECK_FALSE(SignaturePolicy::parse(wrong, "p").has_value());
    }
    auto const rekor =
        SignaturePolicy::parse(requirement(R"("keyPath":"/k","rekorPublicKeyPath":"/r")"), "p");
    REQUIRE(rekor.has_value());
    CHECK(rekor->fallback.front().kind == Kind::not_supported);
}

TEST_CASE("what is no public key is none", "[registry][signature]") {
    for (char const* const wrong : {"", "x", "-----BEGIN PUBLIC KEY-----\nAAAA\n"}) {
        CHECK_FALSE(PublicKey::parse_pem(wrong, "key").has_value());
    }
}
