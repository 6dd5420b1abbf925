// SPDX-License-Identifier: MIT
// The signatures that cosign keeps beside an image in its repository.
//
// Spec: cosign "Cosign Signature Specifications"; containers "sigstore attachments".
#pragma once
#include "tools/registry/client/registry_client.h"

#include <functional>
#include <string>
#include <vector>

namespace oblea::registry {

// The tag under which the signatures of a manifest are kept: "sha256-<hex>.sig".
[[nodiscard]] std::string signature_tag(base::Digest const& manifest);

// What is there, of which nothing is known yet.
struct SignatureAttachment {
    std::string payload;    // the text that was signed
    std::string signature;  // in base64
};

// Where they are looked for.
struct SignaturePlace {
    // As RegistryClient has them.
    std::function<Result<RemoteManifest>(std::string const& tag)> manifest;
    std::function<Result<std::string>(base::Digest const& digest, std::uint64_t bytes)> blob;
    [[nodiscard]] static SignaturePlace of(RegistryClient& client);
};

// None where nobody has signed. Errors: those of the place; EINVAL and E2BIG for what is no list of
// signatures; EBADMSG.
Result<std::vector<SignatureAttachment>> fetch_signatures(SignaturePlace const& place,
                                                          base::Digest const& manifest);

}  // namespace oblea::registry
