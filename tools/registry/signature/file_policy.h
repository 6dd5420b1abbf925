// SPDX-License-Identifier: MIT
// What policy.json says of images that do not come from a registry: of layouts, archives, root file
// systems.
//
// Their names are whatever who made them wrote there, so that no signature holds for them: what has
// to be signed is refused, as podman refuses it. Spec: containers-policy.json(5) "Supported
// transports and their scopes".
#pragma once
#include "tools/registry/signature/policy.h"

#include <string>

namespace oblea::registry {

struct FileOrigin {
    std::string transport;  // "oci", "oci-archive", "docker-archive", "tarball", ...
    std::string path;       // empty: none, as of standard input
    std::string name;       // of the image in it; may be empty
};

// Errors: EACCES, naming the policy's file.
Status expect_accepted(SignaturePolicy const& policy, FileOrigin const& origin);

}  // namespace oblea::registry
