// SPDX-License-Identifier: MIT
#include "tools/registry/conf/endpoints.h"

#include <arpa/inet.h>

#include <algorithm>

namespace oblea::registry {

namespace {

constexpr char const* kDockerHubHost = "registry-1.docker.io";

std::string_view host_without_port(std::string_view host) {
    auto const colon = host.rfind(':');
    auto const bracket = host.rfind(']');
    bool const port =
        colon != std::string_view::npos && (bracket == std::string_view::npos || colon > bracket);
    return port ? host.substr(0, colon) : host;
}

// Whether an IPv4 address lies in "a.b.c.d/n".
bool in_network(std::string const& address, std::string const& network) {
    auto const slash = network.find('/');
    auto const bits =
        slash == std::string::npos ? std::nullopt : parse_decimal(network.substr(slash + 1));
    struct in_addr left = {};
    struct in_addr right = {};
    if (!bits.has_value() || *bits > 32 || inet_pton(AF_INET, address.c_str(), &left) != 1 ||
        inet_pton(AF_INET, network.substr(0, slash).c_str(), &right) != 1) {
        return false;
    }
    std::uint64_t const size = std::uint64_t{1} << (32U - *bits);
    return ntohl(left.s_addr) / size == ntohl(right.s_addr) / size;
}

// The length of what the prefix matches of "domain/path"; 0 when it does not.
std::size_t match_bytes(std::string_view prefix, std::string_view domain, std::string_view name) {
    if (prefix.starts_with("*.")) {
        // Names of all depths, but not the domain itself; nothing of a name is rewritten then.
        return host_without_port(domain).ends_with(prefix.substr(1)) ? prefix.size() : 0;
    }
    bool const matches =
        name.starts_with(prefix) &&
        (name.size() == prefix.size() || name[prefix.size()] == '/' || name[prefix.size()] == ':');
    return matches ? prefix.size() : 0;
}

RegistryRule const* find_rule(RegistriesConf const& conf, std::string_view domain,
                              std::string_view name) {
    RegistryRule const* best = nullptr;
    std::size_t best_bytes = 0;
    for (auto const& rule : conf.rules) {
        auto const bytes = match_bytes(rule.prefix, domain, name);
        if (bytes > best_bytes) {
            best = &rule;
            best_bytes = bytes;
        }
    }
    return best;
}

enum class Insecure { no, yes };

Endpoint::Security security_of(RegistriesConf const& conf, std::string const& host,
                               Insecure configured, HasCertificates const& has_certificates) {
    std::string const name{host_without_port(host)};
    bool const listed = std::ranges::any_of(conf.docker_insecure, [&](auto const& entry) {
        return entry == host || entry == name || in_network(name, entry);
    });
    bool const own = is_loopback(name) && !has_certificates(host);
    return configured == Insecure::yes || listed || own ? Endpoint::Security::insecure
                                                        : Endpoint::Security::verified;
}

struct Planner {
    RegistriesConf const& conf;
    HasCertificates const& has_certificates;

    // `name` is "host/path", which may come from a file.
    [[nodiscard]] Result<PlannedEndpoint> endpoint(std::string const& name, Insecure insecure,
                                                   PlannedEndpoint::Role role) const {
        auto const slash = name.find('/');
        std::string const domain = name.substr(0, slash);
        std::string const path = slash == std::string::npos ? "" : name.substr(slash + 1);
        // A port makes a domain of a bare name ("mirror/a/b") too.
        bool const bare = domain.find_first_of(".:") == std::string::npos;
        auto const parsed = store::Reference::parse(domain + (bare ? ":1/" : "/") + path);
        if (domain.empty() || !parsed.has_value()) {
            return fail(Errno::einval, "",
                        "\"" + name + "\", which registries.conf makes of the name, is none");
        }
        std::string const host = domain == kDockerHub ? kDockerHubHost : domain;
        return PlannedEndpoint{
            .endpoint = {.host = host,
                         .repository = path,
                         .security = security_of(conf, host, insecure, has_certificates)},
            .domain = domain,
            .role = role};
    }
};

std::string rewritten(RegistryRule const& rule, std::string const& location,
                      std::string const& name) {
    if (location.empty() || rule.prefix.starts_with("*.")) {
        return location.empty() ? name : location + name.substr(name.find('/'));
    }
    return location + name.substr(rule.prefix.size());
}

bool is_used(RegistryMirror const& mirror, store::Reference const& reference) {
    using enum RegistryMirror::PullFrom;
    return mirror.pull_from == all ||
           (mirror.pull_from == digest_only) == reference.digest.has_value();
}

// docker's mirrors are URLs of registries that have the names of docker.io.
std::string docker_mirror_host(std::string_view url) {
    for (std::string_view const scheme : {"https://", "http://"}) {
        if (url.starts_with(scheme)) {
            url.remove_prefix(scheme.size());
        }
    }
    return std::string{url.substr(0, url.find('/'))};
}

}  // namespace

Result<std::vector<PlannedEndpoint>> plan_endpoints(RegistriesConf const& conf,
                                                    store::Reference const& reference,
                                                    HasCertificates const& has_certificates) {
    using Role = PlannedEndpoint::Role;
    Planner const planner{.conf = conf, .has_certificates = has_certificates};
    std::string const name = reference.repository();
    RegistryRule const* const rule = find_rule(conf, reference.domain, name);
    std::vector<PlannedEndpoint> plan;
    if (rule != nullptr && rule->blocked) {
        return fail(Errno::eacces, "",
                    "registry " + rule->prefix + " is blocked in registries.conf");
    }
    if (rule != nullptr) {
        for (auto const& mirror : rule->mirrors) {
            if (is_used(mirror, reference)) {
                auto endpoint = OBLEA_TRY(
                    planner.endpoint(rewritten(*rule, mirror.location, name),
                                     mirror.insecure ? Insecure::yes : Insecure::no, Role::mirror));
                plan.push_back(std::move(endpoint));
            }
        }
    }
    if (reference.domain == kDockerHub && (rule == nullptr || rule->mirrors.empty())) {
        for (auto const& url : conf.docker_mirrors) {
            auto endpoint = OBLEA_TRY(planner.endpoint(
                docker_mirror_host(url) + '/' + reference.path,
                url.starts_with("http://") ? Insecure::yes : Insecure::no, Role::mirror));
            plan.push_back(std::move(endpoint));
        }
    }
    auto last = OBLEA_TRY(planner.endpoint(
        rule != nullptr ? rewritten(*rule, rule->location, name) : name,
        rule != nullptr && rule->insecure ? Insecure::yes : Insecure::no, Role::registry));
    plan.push_back(std::move(last));
    return plan;
}

PlannedEndpoint plan_login(RegistriesConf const& conf, std::string const& domain,
                           HasCertificates const& has_certificates) {
    RegistryRule const* const rule = find_rule(conf, domain, domain);
    std::string const host = domain == kDockerHub ? kDockerHubHost : domain;
    Insecure const insecure = rule != nullptr && rule->insecure ? Insecure::yes : Insecure::no;
    return {.endpoint = {.host = host,
                         .repository = "",
                         .security = security_of(conf, host, insecure, has_certificates)},
            .domain = domain,
            .role = PlannedEndpoint::Role::registry};
}

}  // namespace oblea::registry
