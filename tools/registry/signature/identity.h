// SPDX-License-Identifier: MIT
// What a signature says, and whether that is about the image at hand. Pure.
//
// Spec: containers-signature(5) "JSON payload"; containers-policy.json(5) "signedIdentity".
#pragma once
#include "store/image/reference.h"

#include <string>
#include <string_view>

namespace oblea::registry {

struct SignedPayload {
    std::string docker_reference;  // as it stands
    store::Digest manifest;
};

// Errors: EINVAL for what is not exactly the payload of an image's signature by cosign.
Result<SignedPayload> parse_signed_payload(std::string_view text);

struct SignedIdentity {
    enum class Kind {
        match_exact,                 // the image's name, tag or digest too
        match_repo_digest_or_exact,  // the same, but the repository where one asks by digest
        match_repository,
        exact_reference,   // `reference` itself
        exact_repository,  // `reference` itself, whatever the tag
        remap_identity,    // `prefix` of the image's name is replaced by `signed_prefix`
    };
    Kind kind = Kind::match_repo_digest_or_exact;
    std::string reference{};
    std::string prefix{};
    std::string signed_prefix{};
};

// `image` has a tag or a digest.
[[nodiscard]] bool is_accepted(SignedIdentity const& identity, store::Reference const& image,
                               std::string const& signed_reference);

}  // namespace oblea::registry
