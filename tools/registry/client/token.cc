// SPDX-License-Identifier: MIT
#include "tools/registry/client/token.h"

#include "tools/registry/base64.h"

#include <nlohmann/json.hpp>

#include <algorithm>

namespace oblea::registry {

namespace {

constexpr char const* kClientId = "oblea";
constexpr std::uint64_t kLifetimeMaxSeconds = std::uint64_t{30} * 24 * 3600;

std::string token_field(nlohmann::json const& object, char const* key) {
    auto const at = object.find(key);
    return at != object.end() && at->is_string() ? at->get<std::string>() : std::string{};
}

std::string joined(std::vector<std::string> const& scopes) {
    std::string text;
    for (auto const& scope : scopes) {
        text += text.empty() ? scope : ' ' + scope;
    }
    return text;
}

}  // namespace

Result<Token> parse_token(std::string_view body, std::string_view server) {
    auto const document = nlohmann::json::parse(body, nullptr, false);
    Token token;
    if (document.is_object()) {
        token.value = Secret{token_field(document, "token")};
        if (token.value.empty()) {
            token.value = Secret{token_field(document, "access_token")};
        }
        token.refresh = Secret{token_field(document, "refresh_token")};
    }
    // What would break the header's line cannot be a token.
    bool const broken = std::ranges::any_of(token.value.reveal(), [](char c) {
        return static_cast<unsigned char>(c) <= ' ' || c == '\x7f';
    });
    if (token.value.empty() || broken) {
        return fail(Errno::einval, "", std::string{server} + ": the token server gave no token");
    }
    auto const lifetime = document.find("expires_in");
    if (lifetime != document.end() && lifetime->is_number_unsigned()) {
        token.lifetime =
            std::chrono::seconds{std::min(lifetime->get<std::uint64_t>(), kLifetimeMaxSeconds)};
    }
    return token;
}

Secret basic_authorization(Credential const& credential) {
    Secret const pair{credential.username + ':' + credential.password.reveal()};
    return Secret{"Basic " + encode_base64(pair.reveal())};
}

Result<HttpRequest> token_request(TokenQuestion const& question, Credential const* credential) {
    Url const realm = OBLEA_TRY(with_context(
        Url::parse(question.realm), [] { return "the registry names a token server that is"; }));
    if (realm.scheme() == Url::Scheme::http &&
        question.plain_http == TokenQuestion::PlainHttp::refused) {
        return fail(network_error::kProtocol, "",
                    realm.authority() + ": the registry names a token server without TLS; no "
                                        "secret is sent there (list the registry as insecure "
                                        "if this is meant)");
    }
    if (credential != nullptr && !credential->identity_token.empty()) {
        HttpRequest request{.method = HttpRequest::Method::post, .url = realm};
        request.form =
            Secret{encode_form({{"grant_type", "refresh_token"},
                                {"service", question.service},
                                {"client_id", kClientId},
                                {"scope", joined(question.scopes)},
                                {"refresh_token", credential->identity_token.reveal()}})};
        return request;
    }
    Url::Parameters parameters;
    if (!question.service.empty()) {
        parameters.emplace_back("service", question.service);
    }
    for (auto const& scope : question.scopes) {
        parameters.emplace_back("scope", scope);
    }
    bool const named = credential != nullptr && !credential->username.empty();
    if (named && question.offline == TokenQuestion::Offline::yes) {
        parameters.emplace_back("offline_token", "true");
        parameters.emplace_back("client_id", kClientId);
    }
    if (named) {
        parameters.emplace_back("account", credential->username);
    }
    HttpRequest request{.url = realm.with_query(parameters)};
    if (named) {
        request.authorization = basic_authorization(*credential);
    }
    return request;
}

}  // namespace oblea::registry
