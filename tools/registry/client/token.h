// SPDX-License-Identifier: MIT
// Bearer tokens: what to ask for, and what a token server answers.
//
// Pure. Spec: distribution "Token Authentication", "OAuth2 Token Authentication".
#pragma once
#include "store/base/error.h"
#include "tools/registry/credentials/credential.h"
#include "tools/registry/http/headers.h"
#include "tools/registry/http/http_client.h"

#include <chrono>
#include <string>
#include <string_view>
#include <vector>

namespace oblea::registry {

struct Token {
    Secret value;
    Secret refresh;  // an identity token, where the server gives one
    std::chrono::seconds lifetime{60};
};

// Errors: EINVAL for what is no answer of a token server (which the message does not quote).
Result<Token> parse_token(std::string_view body, std::string_view server);

struct TokenQuestion {
    std::string realm;
    std::string service;
    std::vector<std::string> scopes;
    enum class Offline { no, yes } offline = Offline::no;  // whether to ask for an identity token
    // Whether the registry itself was reached over plain http or may be.
    enum class PlainHttp { refused, allowed } plain_http = PlainHttp::refused;
};

// `credential` may be null. With an identity token it is a POST, otherwise a GET. Errors: EINVAL
// for a realm that is no URL; EPROTO for one that would let the secret be read on its way.
Result<HttpRequest> token_request(TokenQuestion const& question, Credential const* credential);

// "Basic <base64>".
[[nodiscard]] Secret basic_authorization(Credential const& credential);

}  // namespace oblea::registry
