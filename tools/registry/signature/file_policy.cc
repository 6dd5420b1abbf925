// SPDX-License-Identifier: MIT
#include "tools/registry/signature/file_policy.h"

#include "tools/registry/signature/check_signatures.h"

#include <filesystem>

namespace oblea::registry {

namespace {

// docker-archive has no scopes but its own default; nor has what has no path.
std::vector<std::string> scopes_of(FileOrigin const& origin) {
    if (origin.path.empty() || !origin.transport.starts_with("oci")) {
        return {};
    }
    std::error_code failed;
    auto const path = std::filesystem::weakly_canonical(origin.path, failed);
    return scopes_of_path(failed ? origin.path : path.string(), origin.name);
}

}  // namespace

Status expect_accepted(SignaturePolicy const& policy, FileOrigin const& origin) {
    SignaturePlace nowhere;
    nowhere.manifest = [](std::string const& tag) -> Result<RemoteManifest> {
        return fail(Errno::enoent, "", tag);
    };
    return expect_accepted(policy, policy.find(origin.transport, scopes_of(origin)), nowhere, {});
}

}  // namespace oblea::registry
