// SPDX-License-Identifier: MIT
// Where an image's repository is to be had: mirrors in their order, then the registry itself.
//
// Pure. Spec: containers-registries.conf(5) "Choosing a [[registry]] TOML table", "Remapping and
// mirroring registries".
#pragma once
#include "store/image/reference.h"
#include "tools/registry/client/registry_client.h"
#include "tools/registry/conf/registries_conf.h"

#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace oblea::registry {

struct PlannedEndpoint {
    Endpoint endpoint;
    std::string domain;  // under which credentials for it are kept: "docker.io"
    enum class Role { mirror, registry } role = Role::registry;
};

// Whether there are certificates for a host in a certs.d folder: then this machine's own registries
// are held to them, which otherwise need none.
using HasCertificates = std::function<bool(std::string const& host)>;

// Never empty. Errors: EACCES for a blocked registry; EINVAL for a location that makes no name.
Result<std::vector<PlannedEndpoint>> plan_endpoints(RegistriesConf const& conf,
                                                    store::Reference const& reference,
                                                    HasCertificates const& has_certificates);

// The registry itself, without a repository: for login.
[[nodiscard]] PlannedEndpoint plan_login(RegistriesConf const& conf, std::string const& domain,
                                         HasCertificates const& has_certificates);

}  // namespace oblea::registry
