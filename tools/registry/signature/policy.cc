// SPDX-License-Identifier: MIT
#include "tools/registry/signature/policy.h"

#include "store/base/sys.h"
#include "store/image/json_fields.h"
#include "tools/registry/base64.h"
#include "tools/registry/signature/strict_json.h"

#include <nlohmann/json.hpp>

#include <array>

namespace oblea::registry {

namespace fields = store::json_fields;
using nlohmann::json;

namespace {

constexpr std::size_t kPolicyBytesMax = 4U << 20U;
constexpr std::size_t kKeysMax = 100;

Result<std::vector<std::string>> texts(json const& object, char const* one, char const* many,
                                       std::string_view what) {
    std::vector<std::string> found;
    if (object.contains(one)) {
        found.push_back(OBLEA_TRY(fields::text(object, one, what)));
    }
    if (object.contains(many)) {
        json const& list = *OBLEA_TRY(fields::array(object, many, what));
        if (list.empty() || list.size() > kKeysMax) {
            return fields::invalid(what, std::string{many} + " has no keys, or too many");
        }
        for (auto const& element : list) {
            if (!element.is_string()) {
                return fields::invalid(what, std::string{many} + " is not a list of strings");
            }
            found.push_back(element.get<std::string>());
        }
    }
    return found;
}

Result<std::string> reference_text(json const& object, char const* name, std::string_view what) {
    std::string text = OBLEA_TRY(fields::text(object, name, what));
    if (!store::Reference::parse(text).has_value()) {
        return fields::invalid(what, '"' + text + "\" is no name of an image");
    }
    return text;
}

Result<SignedIdentity> parse_identity(json const& object, std::string_view what) {
    using enum SignedIdentity::Kind;
    OBLEA_TRY(strict_json::expect_fields(
        object, {{"type"}, {"dockerReference", "dockerRepository", "prefix", "signedPrefix"}},
        what));
    std::string const type = OBLEA_TRY(fields::text(object, "type", what));
    SignedIdentity identity;
    for (auto const& [name, kind] :
         {std::pair{"matchExact", match_exact},
          std::pair{"matchRepoDigestOrExact", match_repo_digest_or_exact},
          std::pair{"matchRepository", match_repository}}) {
        if (type == name) {
            identity.kind = kind;
            OBLEA_TRY(strict_json::expect_fields(object, {{"type"}}, what));
            return identity;
        }
    }
    if (type == "exactReference") {
        identity.kind = exact_reference;
        OBLEA_TRY(strict_json::expect_fields(object, {{"type", "dockerReference"}}, what));
        identity.reference = OBLEA_TRY(reference_text(object, "dockerReference", what));
    } else if (type == "exactRepository") {
        identity.kind = exact_repository;
        OBLEA_TRY(strict_json::expect_fields(object, {{"type", "dockerRepository"}}, what));
        identity.reference = OBLEA_TRY(reference_text(object, "dockerRepository", what));
    } else if (type == "remapIdentity") {
        identity.kind = remap_identity;
        OBLEA_TRY(strict_json::expect_fields(object, {{"type", "prefix", "signedPrefix"}}, what));
        identity.prefix = OBLEA_TRY(fields::text(object, "prefix", what));
        identity.signed_prefix = OBLEA_TRY(fields::text(object, "signedPrefix", what));
    } else {
        return fields::invalid(what, "the identity \"" + type + "\" is not known");
    }
    return identity;
}

Result<PolicyRequirement> parse_sigstore(json const& object, std::string_view what) {
    constexpr std::array kNotVerified{"fulcio",
                                      "pki",
                                      "rekorPublicKeyPath",
                                      "rekorPublicKeyPaths",
                                      "rekorPublicKeyData",
                                      "rekorPublicKeyDatas"};
    OBLEA_TRY(strict_json::expect_fields(
        object,
        {{"type"},
         {"keyPath", "keyPaths", "keyData", "keyDatas", "fulcio", "pki", "rekorPublicKeyPath",
          "rekorPublicKeyPaths", "rekorPublicKeyData", "rekorPublicKeyDatas", "signedIdentity"}},
        what));
    PolicyRequirement requirement{.kind = PolicyRequirement::Kind::sigstore_signed};
    requirement.key_paths = OBLEA_TRY(texts(object, "keyPath", "keyPaths", what));
    auto const encoded = OBLEA_TRY(texts(object, "keyData", "keyDatas", what));
    for (auto const& text : encoded) {
        auto pem = decode_base64(text);
        if (!pem.has_value()) {
            return fields::invalid(what, "keyData is not in base64");
        }
        requirement.keys.push_back(*std::move(pem));
    }
    if (object.contains("signedIdentity")) {
        requirement.identity = OBLEA_TRY(parse_identity(object["signedIdentity"], what));
    }
    std::size_t sources = 0;
    for (char const* const source :
         {"keyPath", "keyPaths", "keyData", "keyDatas", "fulcio", "pki"}) {
        sources += object.contains(source) ? 1U : 0U;
    }
    if (sources != 1) {
        return fields::invalid(what,
                               "sigstoreSigned needs exactly one of keyPath, keyPaths, keyData and "
                               "keyDatas");
    }
    for (char const* const name : kNotVerified) {
        if (object.contains(name)) {
            requirement.kind = PolicyRequirement::Kind::not_supported;
            requirement.demanded = std::string{"sigstoreSigned with "} + name;
        }
    }
    return requirement;
}

Result<PolicyRequirement> parse_requirement(json const& object, std::string_view what) {
    using Kind = PolicyRequirement::Kind;
    if (!object.is_object()) {
        return fields::invalid(what, "a requirement that is no object");
    }
    std::string const type = OBLEA_TRY(fields::text(object, "type", what));
    if (type == "sigstoreSigned") {
        return parse_sigstore(object, what);
    }
    if (type == "signedBy") {
        return PolicyRequirement{.kind = Kind::not_supported, .demanded = type};
    }
    if (type != "insecureAcceptAnything" && type != "reject") {
        return fields::invalid(what, "the requirement \"" + type + "\" is not known");
    }
    OBLEA_TRY(strict_json::expect_fields(object, {{"type"}}, what));
    return PolicyRequirement{.kind = type == "reject" ? Kind::reject : Kind::accept_anything};
}

Result<SignaturePolicy::Requirements> parse_requirements(json const& list, std::string_view what) {
    if (!list.is_array() || list.empty()) {
        return fields::invalid(what, "a scope without requirements");
    }
    SignaturePolicy::Requirements requirements;
    for (auto const& object : list) {
        requirements.push_back(OBLEA_TRY(parse_requirement(object, what)));
    }
    return requirements;
}

}  // namespace

Result<SignaturePolicy> SignaturePolicy::parse(std::string_view text, std::string place) {
    json const document = OBLEA_TRY(strict_json::parse(text, place));
    OBLEA_TRY(strict_json::expect_fields(document, {{"default"}, {"transports"}}, place));
    SignaturePolicy policy;
    policy.fallback = OBLEA_TRY(parse_requirements(document["default"], place));
    json const* const transports = OBLEA_TRY(fields::object_if(document, "transports", place));
    if (transports != nullptr) {
        for (auto const& [transport, scopes] : transports->items()) {
            if (!scopes.is_object()) {
                return fields::invalid(place, "\"" + transport + "\" is no object of scopes");
            }
            for (auto const& [scope, list] : scopes.items()) {
                policy.transports[transport][scope] = OBLEA_TRY(parse_requirements(list, place));
            }
        }
    }
    policy.place = std::move(place);
    return policy;
}

SignaturePolicy::Requirements const&
SignaturePolicy::find(std::string const& transport, std::vector<std::string> const& scopes) const {
    auto const known = transports.find(transport);
    if (known == transports.end()) {
        return fallback;
    }
    for (auto const& scope : scopes) {
        auto const at = known->second.find(scope);
        if (at != known->second.end()) {
            return at->second;
        }
    }
    auto const general = known->second.find("");
    return general == known->second.end() ? fallback : general->second;
}

std::vector<std::string> scopes_of(store::Reference const& image) {
    std::vector<std::string> scopes;
    std::string name = image.repository();
    if (image.digest.has_value()) {
        scopes.push_back(name + '@' + image.digest->to_string());
    } else if (image.tag.has_value()) {
        scopes.push_back(name + ':' + *image.tag);
    }
    for (;;) {
        scopes.push_back(name);
        auto const slash = name.rfind('/');
        if (slash == std::string::npos) {
            break;
        }
        name.resize(slash);
    }
    std::string host = image.domain.substr(0, image.domain.find(':'));
    for (auto dot = host.find('.'); dot != std::string::npos; dot = host.find('.')) {
        host.erase(0, dot + 1);
        scopes.push_back("*." + host);
    }
    return scopes;
}

std::vector<std::string> scopes_of_path(std::string const& path, std::string const& name) {
    std::vector<std::string> scopes{path + ':' + name};
    for (std::string rest = path; !rest.empty(); rest.resize(rest.rfind('/'))) {
        scopes.push_back(rest);
        if (rest.find('/') == std::string::npos) {
            break;
        }
    }
    return scopes;
}

Result<SignaturePolicy> read_signature_policy(std::string const& home) {
    for (std::string const& path :
         {home + "/.config/containers/policy.json", std::string{"/etc/containers/policy.json"}}) {
        auto const text = base::sys::read_file(AT_FDCWD, path.c_str(), kPolicyBytesMax);
        if (text.has_value()) {
            return SignaturePolicy::parse(*text, path);
        }
        if (text.error().code != Errno::enoent && text.error().code != Errno::enotdir) {
            return std::unexpected<Error>(with_context(text.error(), path));
        }
    }
    SignaturePolicy accepting;
    accepting.fallback = {{.kind = PolicyRequirement::Kind::accept_anything}};
    return accepting;
}

}  // namespace oblea::registry
