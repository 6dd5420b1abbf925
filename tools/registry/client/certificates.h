// SPDX-License-Identifier: MIT
// Certificates for single registries, from the certs.d folders of docker and podman.
//
// In a folder named as the registry (host or host:port): *.crt are authorities, X.cert with X.key a
// client's certificate. The first folder that exists counts.
// Spec: docker "Verify repository client with certificates"; containers-certs.d(5).
#pragma once
#include "tools/registry/http/http_client.h"

#include <string>
#include <string_view>
#include <vector>

namespace oblea::registry {

// ~/.config/containers/certs.d, /etc/containers/certs.d, /etc/docker/certs.d.
[[nodiscard]] std::vector<std::string> certificate_folders(std::string const& home);

// `authority` is host or host:port. Without a folder: the system's authorities alone. Errors:
// EINVAL for a certificate without key or the reverse; those of reading, naming the file.
Result<TlsTrust> read_certificates(std::vector<std::string> const& folders,
                                   std::string const& authority);

}  // namespace oblea::registry
