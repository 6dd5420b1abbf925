// SPDX-License-Identifier: MIT
#include "tools/registry/signature/check_signatures.h"

#include "store/base/sys.h"
#include "tools/registry/base64.h"
#include "tools/registry/signature/public_key.h"

#include <algorithm>

namespace oblea::registry {

namespace {

constexpr std::size_t kKeyBytesMax = 64U << 10U;

struct NamedKey {
    PublicKey key;
    std::string name;
};

Result<std::vector<NamedKey>> read_keys(PolicyRequirement const& requirement) {
    std::vector<NamedKey> keys;
    for (auto const& path : requirement.key_paths) {
        std::string const pem = OBLEA_TRY(with_context(
            base::sys::read_file(AT_FDCWD, path.c_str(), kKeyBytesMax), [&] { return path; }));
        auto key = OBLEA_TRY(PublicKey::parse_pem(pem, path));
        keys.push_back({.key = std::move(key), .name = path});
    }
    for (auto const& pem : requirement.keys) {
        auto key = OBLEA_TRY(PublicKey::parse_pem(pem, "keyData"));
        keys.push_back({.key = std::move(key), .name = "keyData"});
    }
    return keys;
}

std::unexpected<Error> rejected(std::string why) {
    return fail(Errno::eacces, "", std::move(why));
}

// The signature, when it is by one of the keys, of this manifest, under an accepted name.
Result<AcceptedSignature> check_one(SignatureAttachment const& attachment,
                                    std::vector<NamedKey> const& keys,
                                    PolicyRequirement const& requirement, SignedImage const& image,
                                    store::Digest const& manifest) {
    auto const signature = decode_base64(attachment.signature);
    auto const key = std::ranges::find_if(keys, [&](NamedKey const& one) {
        return signature.has_value() &&
               one.key.verifies(base::bytes_of(std::string_view{attachment.payload}),
                                base::bytes_of(std::string_view{*signature}));
    });
    if (key == keys.end()) {
        return rejected("cryptographic signature verification failed: none of the keys has made "
                        "the signature");
    }
    // What it says is read only now, as it comes from who holds the key.
    auto const payload = OBLEA_TRY(parse_signed_payload(attachment.payload));
    if (payload.manifest != manifest) {
        return rejected("Signature for the digest " + payload.manifest.to_string() +
                        " does not match " + manifest.to_string());
    }
    if (!is_accepted(requirement.identity, image.reference, payload.docker_reference)) {
        return rejected("Signature for identity \"" + payload.docker_reference +
                        "\" is not accepted for " + image.reference.canonical());
    }
    return AcceptedSignature{
        .manifest = manifest, .docker_reference = payload.docker_reference, .key = key->name};
}

}  // namespace

Result<std::vector<AcceptedSignature>> check_signed(PolicyRequirement const& requirement,
                                                    SignaturePlace const& place,
                                                    SignedImage const& image) {
    auto const keys = OBLEA_TRY(read_keys(requirement));
    std::vector<AcceptedSignature> accepted;
    std::string why = "A signature was required, but no signature exists";
    for (auto const& manifest : image.manifests) {
        auto const attachments = OBLEA_TRY(fetch_signatures(place, manifest));
        for (auto const& attachment : attachments) {
            auto one = check_one(attachment, keys, requirement, image, manifest);
            if (one.has_value()) {
                accepted.push_back(*std::move(one));
            } else {
                why = one.error().message();
            }
        }
    }
    if (accepted.empty()) {
        return rejected(std::move(why));
    }
    return accepted;
}

Status expect_accepted(SignaturePolicy const& policy,
                       SignaturePolicy::Requirements const& requirements,
                       SignaturePlace const& place, SignedImage const& image) {
    using enum PolicyRequirement::Kind;
    auto const because = [&] { return "Source image rejected by " + policy.place; };
    for (auto const& requirement : requirements) {
        switch (requirement.kind) {
        case accept_anything:
            break;
        case reject:
            return with_context(Status{rejected("the policy accepts no image from there")},
                                because);
        case not_supported:
            return with_context(Status{rejected("it demands \"" + requirement.demanded +
                                                "\", which oblea cannot verify")},
                                because);
        case sigstore_signed:
            auto const accepted = check_signed(requirement, place, image);
            if (!accepted.has_value()) {
                return std::unexpected<Error>(with_context(accepted.error(), because()));
            }
        }
    }
    return {};
}

}  // namespace oblea::registry
