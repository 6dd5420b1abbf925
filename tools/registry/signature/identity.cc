// SPDX-License-Identifier: MIT
#include "tools/registry/signature/identity.h"

#include "store/image/json_fields.h"
#include "tools/registry/signature/strict_json.h"

#include <nlohmann/json.hpp>

namespace oblea::registry {

using store::Reference;

namespace {

bool is_name_only(Reference const& reference) {
    return !reference.tag.has_value() && !reference.digest.has_value();
}

bool is_same(Reference const& left, Reference const& right) {
    return left.canonical() == right.canonical();
}

bool is_exact(Reference const& image, Reference const& signed_as) {
    return !is_name_only(image) && !is_name_only(signed_as) && is_same(image, signed_as);
}

bool is_repo_digest_or_exact(Reference const& image, Reference const& signed_as) {
    if (is_name_only(signed_as)) {
        return false;
    }
    if (image.tag.has_value()) {
        return is_same(image, signed_as);
    }
    // That the signature is of this digest is compared apart from the name.
    return image.digest.has_value() && image.repository() == signed_as.repository();
}

// Prefixes end where a part of a name does.
bool has_prefix(std::string_view name, std::string_view prefix) {
    return name.starts_with(prefix) &&
           (name.size() == prefix.size() ||
            std::string_view{"/:@"}.find(name[prefix.size()]) != std::string_view::npos);
}

bool is_remapped(SignedIdentity const& identity, Reference const& image,
                 Reference const& signed_as) {
    std::string const name = image.canonical();
    if (!has_prefix(name, identity.prefix)) {
        return is_repo_digest_or_exact(image, signed_as);
    }
    auto const mapped =
        Reference::parse(identity.signed_prefix + name.substr(identity.prefix.size()));
    return mapped.has_value() && is_repo_digest_or_exact(*mapped, signed_as);
}

}  // namespace

Result<SignedPayload> parse_signed_payload(std::string_view text) {
    constexpr char kWhat[] = "signature's payload";
    constexpr char kType[] = "cosign container image signature";
    namespace fields = store::json_fields;
    auto const document = OBLEA_TRY(strict_json::parse(text, kWhat));
    OBLEA_TRY(strict_json::expect_fields(document, {{"critical", "optional"}}, kWhat));
    auto const& critical = document["critical"];
    OBLEA_TRY(strict_json::expect_fields(critical, {{"type", "image", "identity"}}, kWhat));
    auto const& image = critical["image"];
    OBLEA_TRY(strict_json::expect_fields(image, {{"docker-manifest-digest"}}, kWhat));
    auto const& identity = critical["identity"];
    OBLEA_TRY(strict_json::expect_fields(identity, {{"docker-reference"}}, kWhat));
    if (OBLEA_TRY(fields::text(critical, "type", kWhat)) != kType) {
        return fail(Errno::einval, "", std::string{kWhat} + ": of another type");
    }
    SignedPayload payload;
    payload.manifest = OBLEA_TRY(fields::digest(image, "docker-manifest-digest", kWhat));
    payload.docker_reference = OBLEA_TRY(fields::text(identity, "docker-reference", kWhat));
    return payload;
}

bool is_accepted(SignedIdentity const& identity, Reference const& image,
                 std::string const& signed_reference) {
    using enum SignedIdentity::Kind;
    auto const signed_as = Reference::parse(signed_reference);
    if (!signed_as.has_value()) {
        return false;
    }
    switch (identity.kind) {
    case match_exact:
        return is_exact(image, *signed_as);
    case match_repo_digest_or_exact:
        return is_repo_digest_or_exact(image, *signed_as);
    case match_repository:
        return image.repository() == signed_as->repository();
    case remap_identity:
        return is_remapped(identity, image, *signed_as);
    case exact_reference:
    case exact_repository:
        break;
    }
    auto const wanted = Reference::parse(identity.reference);
    if (!wanted.has_value()) {
        return false;
    }
    return identity.kind == exact_reference ? is_exact(*wanted, *signed_as)
                                            : wanted->repository() == signed_as->repository();
}

}  // namespace oblea::registry
