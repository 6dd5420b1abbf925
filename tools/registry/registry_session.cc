// SPDX-License-Identifier: MIT
#include "tools/registry/registry_session.h"

#include "store/base/mutex.h"
#include "tools/registry/client/certificates.h"

#include <algorithm>
#include <set>
#include <thread>

namespace oblea::registry {

struct RegistrySession::Impl {
    explicit Impl(SessionOptions choices)
        : options(std::move(choices)), certificate_places(certificate_folders(options.home)),
          credentials(CredentialPlaces::of_process()),
          http({.user_agent = options.user_agent,
                .trust = [this](Url const& url) { return trust(url); },
                .cancel = options.cancel}) {}

    [[nodiscard]] Result<TlsTrust> trust(Url const& url);
    [[nodiscard]] HasCertificates has_certificates() const;
    [[nodiscard]] ClientOptions client_options(std::string familiar_repository) const;
    [[nodiscard]] ClientOptions options_for(PlannedEndpoint const& planned,
                                            std::string familiar_repository);
    [[nodiscard]] Status sleep(std::chrono::milliseconds delay) const;
    void allow_insecure(Endpoint const& endpoint);

    SessionOptions options;
    std::vector<std::string> certificate_places;
    RegistriesConf conf;
    CredentialStore credentials;
    base::Mutex mutex;
    std::set<std::string> insecure OBLEA_GUARDED_BY(mutex);  // authorities of URLs
    std::set<std::string> warned OBLEA_GUARDED_BY(mutex);
    HttpClient http;  // last: it uses the above
};

Result<TlsTrust> RegistrySession::Impl::trust(Url const& url) {
    TlsTrust trust = OBLEA_TRY(read_certificates(certificate_places, url.authority()));
    base::LockGuard const lock{mutex};
    bool const own = is_loopback(url.host()) && trust.extra_ca_pem.empty();
    if (own || insecure.contains(url.authority())) {
        trust.verify = TlsTrust::Verify::no;
    }
    return trust;
}

HasCertificates RegistrySession::Impl::has_certificates() const {
    return [this](std::string const& host) {
        auto const trust = read_certificates(certificate_places, host);
        // A folder that cannot be read counts: whoever made it wanted its certificates checked.
        return !trust.has_value() || !trust->extra_ca_pem.empty();
    };
}

Status RegistrySession::Impl::sleep(std::chrono::milliseconds delay) const {
    constexpr std::chrono::milliseconds kStep{100};  // how soon a cancellation is seen
    while (delay.count() > 0) {
        if (options.cancel != nullptr && options.cancel->load()) {
            return fail(Errno::ecanceled, "", "interrupted");
        }
        std::this_thread::sleep_for(std::min(delay, kStep));
        delay -= kStep;
    }
    return {};
}

ClientOptions RegistrySession::Impl::client_options(std::string familiar_repository) const {
    ClientOptions client;
    client.familiar_repository = std::move(familiar_repository);
    client.sleep = [this](std::chrono::milliseconds delay) { return sleep(delay); };
    client.warn = options.warn;
    client.note = options.note;
    return client;
}

void RegistrySession::Impl::allow_insecure(Endpoint const& endpoint) {
    auto const url = Url::parse("https://" + endpoint.host + "/");
    if (endpoint.security == Endpoint::Security::insecure && url.has_value()) {
        base::LockGuard const lock{mutex};
        insecure.insert(url->authority());
    }
}

RegistrySession::RegistrySession(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
RegistrySession::~RegistrySession() = default;

Result<std::unique_ptr<RegistrySession>> RegistrySession::create(SessionOptions options) {
    auto conf = OBLEA_TRY(read_registries_conf(ConfPlaces::of_process(options.home)));
    auto impl = std::make_unique<Impl>(std::move(options));
    impl->conf = std::move(conf);
    // The constructor is private, out of make_unique's reach.
    return std::unique_ptr<RegistrySession>{new RegistrySession{std::move(impl)}};
}

CredentialStore const& RegistrySession::credentials() const {
    return impl_->credentials;
}

Result<SignaturePolicy> RegistrySession::signature_policy() const {
    return read_signature_policy(impl_->options.home);
}

Result<ShortName> RegistrySession::names_for(std::string_view typed, Terminal terminal) const {
    return resolve_short_name(impl_->conf, typed, terminal);
}

Result<std::vector<PlannedEndpoint>>
RegistrySession::endpoints(store::Reference const& reference) const {
    return plan_endpoints(impl_->conf, reference, impl_->has_certificates());
}

PlannedEndpoint RegistrySession::registry(std::string const& domain) const {
    return plan_login(impl_->conf, domain, impl_->has_certificates());
}

ClientOptions RegistrySession::Impl::options_for(PlannedEndpoint const& planned,
                                                 std::string familiar_repository) {
    allow_insecure(planned.endpoint);
    ClientOptions client = client_options(std::move(familiar_repository));
    FoundCredential found = credentials.find(planned.domain, planned.endpoint.repository);
    client.credential = std::move(found.credential);
    for (auto const& warning : found.warnings) {
        base::LockGuard const lock{mutex};
        if (options.warn && warned.insert(warning).second) {
            options.warn(warning);
        }
    }
    return client;
}

std::unique_ptr<RegistryClient> RegistrySession::client(PlannedEndpoint const& planned,
                                                        std::string familiar_repository) {
    return std::make_unique<RegistryClient>(
        impl_->http, planned.endpoint, impl_->options_for(planned, std::move(familiar_repository)));
}

std::unique_ptr<Connection> RegistrySession::connection(PlannedEndpoint const& planned,
                                                        std::string familiar_repository,
                                                        ClientOptions::Access access) {
    ClientOptions options = impl_->options_for(planned, std::move(familiar_repository));
    options.access = access;
    return std::make_unique<Connection>(impl_->http, planned.endpoint, std::move(options));
}

Result<Credential> RegistrySession::log_in(std::string const& domain,
                                           Credential const& credential) {
    PlannedEndpoint const planned = registry(domain);
    impl_->allow_insecure(planned.endpoint);
    ClientOptions options = impl_->client_options(domain);
    options.credential = credential;
    options.offline = TokenQuestion::Offline::yes;
    RegistryClient client{impl_->http, planned.endpoint, std::move(options)};
    OBLEA_TRY(client.ping());
    Credential kept = credential;
    if (Secret identity = client.identity_token(); !identity.empty()) {
        kept.password = {};
        kept.identity_token = std::move(identity);
    }
    return kept;
}

}  // namespace oblea::registry
