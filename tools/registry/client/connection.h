// SPDX-License-Identifier: MIT
// Requests to one repository at one registry: authentication, retries, and the choice of https or
// http.
//
// Thread-safe. What an answer means is known by who asked.
#pragma once
#include "store/base/mutex.h"
#include "tools/registry/client/authorizer.h"
#include "tools/registry/client/registry_error.h"
#include "tools/registry/client/retry.h"
#include "tools/registry/http/http_client.h"

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <random>
#include <set>
#include <string>

namespace oblea::registry {

struct Endpoint {
    std::string host;        // "registry-1.docker.io", "localhost:5000"
    std::string repository;  // "library/debian"; may be empty for ping()
    // insecure: certificates are not checked, and plain http is tried where there is no TLS.
    enum class Security { verified, insecure } security = Security::verified;
    bool operator==(Endpoint const&) const = default;
};

struct ClientOptions {
    std::string familiar_repository;  // for messages: "debian"
    std::optional<Credential> credential{};
    TokenQuestion::Offline offline = TokenQuestion::Offline::no;
    enum class Access { pull, push } access = Access::pull;  // what to ask the token server for
    RetryPolicy retry{};
    // Waits; gives ECANCELED when interrupted.
    std::function<Status(std::chrono::milliseconds)> sleep;
    std::function<void(std::string const&)> warn{};  // of the registry, each text once
    std::function<void(std::string const&)> note{};  // of retries
};

class Connection {
public:
    // `http` is borrowed.
    Connection(HttpClient& http, Endpoint endpoint, ClientOptions options);

    // `path` begins with "/v2/". Errors: those of finding out how the registry is reached.
    Result<HttpRequest> request_for(std::string const& path);

    // Sends with authentication and retries; any status but 401 and the transient ones comes back.
    Result<std::unique_ptr<HttpStream>> send(HttpRequest const& request);
    // The same without retries. `more_scope` is asked for beside that of the repository.
    Result<std::unique_ptr<HttpStream>> send_once(HttpRequest request,
                                                  std::string const& more_scope = {});

    // Waits before the next attempt, or says that there shall be none. `why` goes to
    // ClientOptions::note.
    Result<bool> wait(unsigned attempts, std::optional<std::uint64_t> retry_after,
                      std::string const& why);

    // The error that a refusing answer stands for.
    [[nodiscard]] std::unexpected<Error> refused(HttpStream& stream, Wanted wanted,
                                                 std::string_view what) const;

    [[nodiscard]] Endpoint const& endpoint() const { return endpoint_; }
    [[nodiscard]] ClientOptions const& options() const { return options_; }
    [[nodiscard]] Secret identity_token() const;

private:
    Result<Url> base_url();
    Result<Url> find_base_url();
    void warn_once(Headers const& headers);
    void warn_of_limit(Headers const& headers);
    double jitter();

    HttpClient& http_;
    Endpoint endpoint_;
    ClientOptions options_;
    std::string scope_;
    base::Mutex mutex_;
    std::optional<Url> base_ OBLEA_GUARDED_BY(mutex_);
    std::unique_ptr<Authorizer> authorizer_;  // made with base_, for good
    std::set<std::string> warned_ OBLEA_GUARDED_BY(mutex_);
    std::minstd_rand random_ OBLEA_GUARDED_BY(mutex_);
};

}  // namespace oblea::registry
