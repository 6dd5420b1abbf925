// SPDX-License-Identifier: MIT
// The Authorization field for the requests to one registry: from challenges and credentials to
// tokens, which are kept until shortly before they expire.
//
// Thread-safe; several threads that need the same token ask for it once.
#pragma once
#include "store/base/mutex.h"
#include "tools/registry/client/token.h"

#include <functional>
#include <map>
#include <optional>
#include <string>

namespace oblea::registry {

class Authorizer {
public:
    using Clock = std::chrono::steady_clock;
    struct Options {
        std::string server;  // for messages
        std::optional<Credential> credential{};
        TokenQuestion::PlainHttp plain_http = TokenQuestion::PlainHttp::refused;
        TokenQuestion::Offline offline = TokenQuestion::Offline::no;
        std::function<Clock::time_point()> now = Clock::now;
    };
    // `http` is borrowed.
    Authorizer(HttpClient& http, Options options) : http_(http), options_(std::move(options)) {}

    // What to send with a request for `scope` ("repository:a/b:pull", or empty); empty as long as
    // the registry has not asked for anything. Renews a token that is about to expire.
    Result<Secret> header(std::string const& scope);

    // After a 401: takes in what the registry asks for and gets what it needs; `rejected` is what
    // was sent. False when there is nothing better to send. Errors: those of the token server,
    // EACCES "no basic auth credentials".
    Result<bool> answer(std::vector<Challenge> const& challenges, std::string const& scope,
                        Secret const& rejected);

    // The identity token that the last token came with, for login to keep instead of a password.
    [[nodiscard]] Secret identity_token() const;

private:
    struct Kept {
        TokenQuestion question;
        Secret header;
        Clock::time_point renew_at;
    };
    Status renew(Kept& kept) OBLEA_REQUIRES(mutex_);

    HttpClient& http_;
    Options options_;
    mutable base::Mutex mutex_;
    Secret basic_ OBLEA_GUARDED_BY(mutex_);  // once the registry has asked for it
    std::map<std::string, Kept> tokens_ OBLEA_GUARDED_BY(mutex_);  // by scope
    Secret identity_token_ OBLEA_GUARDED_BY(mutex_);
};

}  // namespace oblea::registry
