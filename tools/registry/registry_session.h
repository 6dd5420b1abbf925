// SPDX-License-Identifier: MIT
// One run's dealings with registries: configuration, credentials, certificates and connections.
//
// Thread-safe, but for the credential store. Outlives its clients.
#pragma once
#include "tools/registry/conf/endpoints.h"
#include "tools/registry/conf/short_names.h"
#include "tools/registry/credentials/credential_store.h"
#include "tools/registry/signature/policy.h"

#include <atomic>
#include <functional>
#include <memory>
#include <string>

namespace oblea::registry {

struct SessionOptions {
    std::string home;  // of the user
    std::string user_agent = "oblea";
    std::atomic<bool> const* cancel = nullptr;  // may be set at any time; may be null
    std::function<void(std::string const&)> warn{};
    std::function<void(std::string const&)> note{};
};

class RegistrySession {
public:
    // Errors: EINVAL for a configuration that is malformed.
    static Result<std::unique_ptr<RegistrySession>> create(SessionOptions options);
    RegistrySession(RegistrySession const&) = delete;
    RegistrySession& operator=(RegistrySession const&) = delete;
    ~RegistrySession();

    [[nodiscard]] CredentialStore const& credentials() const;

    // Which images may be used. Errors: as read_signature_policy().
    [[nodiscard]] Result<SignaturePolicy> signature_policy() const;

    // As resolve_short_name() with this machine's configuration.
    [[nodiscard]] Result<ShortName> names_for(std::string_view typed, Terminal terminal) const;

    // As plan_endpoints() with this machine's configuration.
    Result<std::vector<PlannedEndpoint>> endpoints(store::Reference const& reference) const;

    // The registry itself, for what is about no repository. Errors of configuration come later.
    [[nodiscard]] PlannedEndpoint registry(std::string const& domain) const;

    // A client with the credentials that this machine has for the repository.
    std::unique_ptr<RegistryClient> client(PlannedEndpoint const& planned,
                                           std::string familiar_repository);

    // The same without the questions that a RegistryClient knows.
    std::unique_ptr<Connection> connection(PlannedEndpoint const& planned,
                                           std::string familiar_repository,
                                           ClientOptions::Access access);

    // Whether the registry lets one in with the credential; what to store of it (an identity token
    // takes the place of the password). Errors: as RegistryClient::ping.
    Result<Credential> log_in(std::string const& domain, Credential const& credential);

private:
    struct Impl;
    explicit RegistrySession(std::unique_ptr<Impl> impl);
    std::unique_ptr<Impl> impl_;
};

}  // namespace oblea::registry
