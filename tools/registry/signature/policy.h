// SPDX-License-Identifier: MIT
// podman's policy.json: which images may be used, and whose signature they need. Pure, but for
// read_signature_policy().
//
// Read strictly, as podman does: a file with a fault lets nothing through. What oblea cannot verify
// (signedBy with GPG keys, Fulcio and Rekor) is refused where it is demanded.
// Spec: containers-policy.json(5).
#pragma once
#include "tools/registry/signature/identity.h"

#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace oblea::registry {

struct PolicyRequirement {
    enum class Kind { accept_anything, reject, sigstore_signed, not_supported };
    Kind kind = Kind::reject;
    // sigstore_signed: one of the keys.
    std::vector<std::string> key_paths{};
    std::vector<std::string> keys{};  // PEM
    SignedIdentity identity{};
    std::string demanded{};  // not_supported: what
};

struct SignaturePolicy {
    using Requirements = std::vector<PolicyRequirement>;  // all have to hold
    std::string place;                                    // the file, for people
    Requirements fallback;                                // "default"
    // By transport ("docker"), then by scope; "" is the transport's own default.
    std::map<std::string, std::map<std::string, Requirements>> transports;

    // Errors: EINVAL, naming the place.
    static Result<SignaturePolicy> parse(std::string_view text, std::string place);

    // Of the first of the scopes that the file knows.
    [[nodiscard]] Requirements const& find(std::string const& transport,
                                           std::vector<std::string> const& scopes) const;
};

// The scopes that an image at a registry belongs to, the narrowest first.
[[nodiscard]] std::vector<std::string> scopes_of(store::Reference const& image);
// Those of a layout or an archive, by its path from the root.
[[nodiscard]] std::vector<std::string> scopes_of_path(std::string const& path,
                                                      std::string const& name);

// ~/.config/containers/policy.json, else /etc/containers/policy.json; without either, anything is
// accepted, as docker does. Errors: EINVAL; those of reading.
Result<SignaturePolicy> read_signature_policy(std::string const& home);

}  // namespace oblea::registry
