// SPDX-License-Identifier: MIT
// Whether an image may be used, as a policy and the signatures beside the image say.
#pragma once
#include "tools/registry/signature/attachment.h"
#include "tools/registry/signature/policy.h"

#include <string>
#include <vector>

namespace oblea::registry {

// Where signatures come from.
struct SignedImage {
    store::Reference reference;  // as it was asked for: with a tag or a digest
    // Whose signatures count: of the image for a platform, and of the index that names it, which is
    // as good, since its digest stands for all that is in it.
    std::vector<store::Digest> manifests;
};

struct AcceptedSignature {
    store::Digest manifest;
    std::string docker_reference;  // as it was signed
    std::string key;               // its file, or "keyData"
};

// The signatures that fulfil the requirement, of which the kind is sigstore_signed. `place` is
// asked for signatures once for each manifest. Errors: EACCES, saying why the signatures that there
// are do not count; those of reading keys and of the place.
Result<std::vector<AcceptedSignature>> check_signed(PolicyRequirement const& requirement,
                                                    SignaturePlace const& place,
                                                    SignedImage const& image);

// All requirements hold. Errors: EACCES "Source image rejected: ..." with the policy's file; as
// above.
Status expect_accepted(SignaturePolicy const& policy,
                       SignaturePolicy::Requirements const& requirements,
                       SignaturePlace const& place, SignedImage const& image);

}  // namespace oblea::registry
