// SPDX-License-Identifier: MIT
#include "tools/registry/client/connection.h"

#include "store/base/limits.h"

#include <array>

namespace oblea::registry {

namespace {

constexpr unsigned kAuthenticationsMax = 3;  // of one request

std::string scope_of(Endpoint const& endpoint, ClientOptions::Access access) {
    if (endpoint.repository.empty()) {
        return {};
    }
    return "repository:" + endpoint.repository +
           (access == ClientOptions::Access::push ? ":pull,push" : ":pull");
}

// What fits of a body; a longer one is cut, as it is only looked at for words.
std::string read_up_to(HttpStream& stream, std::size_t limit_bytes) {
    std::string text;
    std::array<std::byte, 4096> buffer{};
    while (text.size() < limit_bytes) {
        auto const count = stream.read(buffer);
        if (!count.has_value() || *count == 0) {
            break;
        }
        text += base::text_of(base::ByteView{buffer}.first(*count));
    }
    return text;
}

}  // namespace

Connection::Connection(HttpClient& http, Endpoint endpoint, ClientOptions options)
    : http_(http), endpoint_(std::move(endpoint)), options_(std::move(options)),
      scope_(scope_of(endpoint_, options_.access)), random_(std::random_device{}()) {}

double Connection::jitter() {
    base::LockGuard const lock{mutex_};
    return std::uniform_real_distribution<double>{0, 1}(random_);
}

void Connection::warn_once(Headers const& headers) {
    if (!options_.warn) {
        return;
    }
    for (auto const& field : headers.all("warning")) {
        auto const text = parse_warning(field);
        base::LockGuard const lock{mutex_};
        if (text.has_value() && warned_.size() < 100 && warned_.insert(*text).second) {
            options_.warn(endpoint_.host + ": " + printable(*text));
        }
    }
}

// Near its end only: the last tenth of what one may pull.
void Connection::warn_of_limit(Headers const& headers) {
    auto const limit = parse_rate_limit(headers.first("ratelimit-limit"));
    auto const left = parse_rate_limit(headers.first("ratelimit-remaining"));
    if (!options_.warn || !limit.has_value() || !left.has_value() ||
        left->count > limit->count / 10) {
        return;
    }
    {
        base::LockGuard const lock{mutex_};
        if (!warned_.insert("ratelimit").second) {
            return;
        }
    }
    std::string const hours = std::to_string((limit->window_seconds + 3599) / 3600);
    options_.warn(endpoint_.host + ": " + std::to_string(left->count) + " of " +
                  std::to_string(limit->count) + " pulls are left" +
                  (limit->window_seconds > 0 ? " within " + hours + " hour(s)" : "") +
                  (options_.credential.has_value() ? "" : "; 'oblea login' raises the limit"));
}

// https, or plain http where that is allowed and nobody speaks TLS.
Result<Url> Connection::find_base_url() {
    Url const secure = OBLEA_TRY(with_context(Url::parse("https://" + endpoint_.host + "/v2/"),
                                              [&] { return endpoint_.host; }));
    if (endpoint_.security == Endpoint::Security::verified) {
        return secure;
    }
    auto const answered = http_.open({.url = secure});
    // A host that is not known may be known to the proxy for plain http.
    bool const may_be_plain =
        !answered.has_value() && (answered.error().code == network_error::kProtocol ||
                                  answered.error().code == network_error::kNoHost);
    if (!may_be_plain) {
        // Whatever else is wrong comes up again, and with more care, when it is used.
        return secure;
    }
    Url const plain = OBLEA_TRY(Url::parse("http://" + endpoint_.host + "/v2/"));
    if (http_.open({.url = plain}).has_value()) {
        return plain;
    }
    return secure;
}

Result<Url> Connection::base_url() {
    base::LockGuard const lock{mutex_};
    if (!base_.has_value()) {
        base_ = OBLEA_TRY(find_base_url());
        bool const plain = base_->scheme() == Url::Scheme::http ||
                           endpoint_.security == Endpoint::Security::insecure;
        authorizer_ = std::make_unique<Authorizer>(
            http_, Authorizer::Options{.server = endpoint_.host,
                                       .credential = options_.credential,
                                       .plain_http = plain ? TokenQuestion::PlainHttp::allowed
                                                           : TokenQuestion::PlainHttp::refused,
                                       .offline = options_.offline});
    }
    return *base_;
}

Result<HttpRequest> Connection::request_for(std::string const& path) {
    Url const root = OBLEA_TRY(base_url());
    Url url = OBLEA_TRY(root.resolve(path));
    return HttpRequest{.url = std::move(url)};
}

Result<bool> Connection::wait(unsigned attempts, std::optional<std::uint64_t> retry_after,
                              std::string const& why) {
    auto const delay = plan_retry(options_.retry, attempts, retry_after, jitter());
    if (!delay.has_value()) {
        return false;
    }
    if (options_.note) {
        options_.note(why + "; trying again in " + std::to_string((delay->count() + 999) / 1000) +
                      " second(s)");
    }
    OBLEA_TRY(options_.sleep(*delay));
    return true;
}

Result<std::unique_ptr<HttpStream>> Connection::send_once(HttpRequest request,
                                                          std::string const& more_scope) {
    std::string const scope = more_scope.empty() ? scope_ : scope_ + ' ' + more_scope;
    // An upload may have been sent to another server, which our credentials are none of.
    if (!OBLEA_TRY(base_url()).same_origin(request.url)) {
        return http_.open(std::move(request));
    }
    for (unsigned round = 0;; ++round) {
        request.authorization = OBLEA_TRY(authorizer_->header(scope));
        auto stream = OBLEA_TRY(http_.open(request));
        if (stream->head().status != 401 || round == kAuthenticationsMax) {
            return stream;
        }
        // A 401 of another server that was redirected to is its own affair.
        if (!stream->head().url.same_origin(request.url)) {
            return stream;
        }
        auto const challenges = parse_challenges(stream->head().headers.all("www-authenticate"));
        if (!OBLEA_TRY(authorizer_->answer(challenges, scope, request.authorization))) {
            return stream;
        }
    }
}

Result<std::unique_ptr<HttpStream>> Connection::send(HttpRequest const& request) {
    for (unsigned attempts = 1;; ++attempts) {
        auto stream = send_once(request);
        if (!stream.has_value()) {
            if (!is_transient(stream.error()) ||
                !OBLEA_TRY(wait(attempts, std::nullopt, stream.error().message()))) {
                return stream;
            }
            continue;
        }
        HttpHead const& head = (*stream)->head();
        warn_once(head.headers);
        warn_of_limit(head.headers);
        if (!is_transient_status(head.status) ||
            !OBLEA_TRY(wait(attempts, parse_retry_after(head.headers.first("retry-after")),
                            endpoint_.host + ": status " + std::to_string(head.status)))) {
            return stream;
        }
    }
}

std::unexpected<Error> Connection::refused(HttpStream& stream, Wanted wanted,
                                           std::string_view what) const {
    Refusal const refusal =
        parse_refusal(stream.head().status, read_up_to(stream, limits::kHttpErrorBytesMax));
    return std::unexpected<Error>(
        refusal_error(refusal, wanted, what, options_.familiar_repository));
}

Secret Connection::identity_token() const {
    return authorizer_ == nullptr ? Secret{} : authorizer_->identity_token();
}

}  // namespace oblea::registry
