// SPDX-License-Identifier: MIT
#include "tools/registry/client/authorizer.h"

#include "store/base/limits.h"
#include "tools/registry/client/registry_error.h"

#include <algorithm>

namespace oblea::registry {

namespace {

Challenge const* find_scheme(std::vector<Challenge> const& challenges, std::string_view scheme) {
    auto const at = std::ranges::find(challenges, scheme, &Challenge::scheme);
    return at == challenges.end() ? nullptr : &*at;
}

// The parts of "a:b:c d:e:f", each once.
void add_scopes(std::string_view text, std::vector<std::string>& scopes) {
    while (!text.empty()) {
        auto const end = std::min(text.find(' '), text.size());
        std::string const scope{text.substr(0, end)};
        if (!scope.empty() && std::ranges::find(scopes, scope) == scopes.end()) {
            scopes.push_back(scope);
        }
        text.remove_prefix(std::min(end + 1, text.size()));
    }
}

std::string parameter(Challenge const& challenge, char const* name) {
    auto const at = challenge.parameters.find(name);
    return at == challenge.parameters.end() ? std::string{} : at->second;
}

}  // namespace

Secret Authorizer::identity_token() const {
    base::LockGuard const lock{mutex_};
    return identity_token_;
}

Status Authorizer::renew(Kept& kept) {
    Credential const* const credential =
        options_.credential.has_value() ? &*options_.credential : nullptr;
    HttpRequest request = OBLEA_TRY(token_request(kept.question, credential));
    std::string const server = request.url.authority();
    auto const response = OBLEA_TRY(http_.fetch(std::move(request), limits::kTokenAnswerBytesMax));
    if (response.head.status / 100 != 2) {
        Refusal const refusal = parse_refusal(response.head.status, response.body);
        bool const denied = refusal.status == 401 || refusal.status == 403 ||
                            (refusal.status == 400 && credential != nullptr);
        return fail(denied ? Errno::eacces : Errno::eio, "",
                    (denied ? "unauthorized: " : server + ": ") + describe(refusal));
    }
    Token token = OBLEA_TRY(parse_token(response.body, server));
    kept.header = Secret{"Bearer " + token.value.reveal()};
    // Early, so that it does not expire on its way.
    auto const margin = std::min(token.lifetime / 4, std::chrono::seconds{10});
    kept.renew_at = options_.now() + token.lifetime - margin;
    if (!token.refresh.empty()) {
        identity_token_ = std::move(token.refresh);
    }
    return {};
}

Result<Secret> Authorizer::header(std::string const& scope) {
    // Held while a token is fetched, so that others wait for it instead of asking as well.
    base::LockGuard const lock{mutex_};
    if (auto const at = tokens_.find(scope); at != tokens_.end()) {
        if (options_.now() >= at->second.renew_at) {
            OBLEA_TRY(renew(at->second));
        }
        return at->second.header;
    }
    return basic_;
}

Result<bool> Authorizer::answer(std::vector<Challenge> const& challenges, std::string const& scope,
                                Secret const& rejected) {
    base::LockGuard const lock{mutex_};
    auto const* const bearer = find_scheme(challenges, "bearer");
    if (bearer != nullptr) {
        auto const at = tokens_.find(scope);
        if (at != tokens_.end() && at->second.header != rejected) {
            return true;  // another thread has renewed it meanwhile
        }
        Kept kept{.question = {.realm = parameter(*bearer, "realm"),
                               .service = parameter(*bearer, "service"),
                               .scopes = {},
                               .offline = options_.offline,
                               .plain_http = options_.plain_http},
                  .header = {},
                  .renew_at = Clock::time_point::max()};
        std::string const asked = parameter(*bearer, "scope");
        add_scopes(scope, kept.question.scopes);
        add_scopes(asked, kept.question.scopes);
        if (options_.credential.has_value() && !options_.credential->registry_token.empty()) {
            kept.header = Secret{"Bearer " + options_.credential->registry_token.reveal()};
            if (kept.header == rejected) {
                return false;
            }
        } else {
            OBLEA_TRY(renew(kept));
        }
        tokens_.insert_or_assign(scope, std::move(kept));
        return true;
    }
    if (find_scheme(challenges, "basic") != nullptr) {
        if (!options_.credential.has_value() || options_.credential->username.empty()) {
            return fail(Errno::eacces, "",
                        options_.server +
                            ": no basic auth credentials; log in with "
                            "'oblea login " +
                            options_.server + "'");
        }
        basic_ = basic_authorization(*options_.credential);
        return basic_ != rejected;
    }
    return false;
}

}  // namespace oblea::registry
