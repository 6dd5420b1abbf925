// SPDX-License-Identifier: MIT
#include "tools/registry/copy/open_place.h"

#include "tools/registry/copy/layout_source.h"
#include "tools/registry/copy/layout_target.h"
#include "tools/registry/copy/registry_place.h"

namespace oblea::registry {

using Kind = CopyLocation::Kind;

Result<std::unique_ptr<CopySource>> open_copy_source(RegistrySession& session,
                                                     CopyLocation const& location) {
    switch (location.kind) {
    case Kind::oci_layout:
        return open_layout_source(OBLEA_TRY(open_layout_folder(location.path)), location.path);
    case Kind::oci_archive:
        return open_layout_source(OBLEA_TRY(open_archive_file(location.path)), location.path);
    case Kind::docker_archive:
        return open_docker_archive_source(OBLEA_TRY(open_archive_file(location.path)),
                                          location.path);
    case Kind::registry:
        break;
    }
    return open_registry_source(session, location.reference);
}

Result<std::unique_ptr<CopyTarget>> open_copy_target(RegistrySession& session,
                                                     CopyLocation const& location,
                                                     CopyLocation const& source) {
    switch (location.kind) {
    case Kind::oci_layout:
        return open_layout_target(location.path);
    case Kind::oci_archive:
        return open_oci_archive_target(location.path);
    case Kind::docker_archive:
        return open_docker_archive_target(location.path);
    case Kind::registry:
        break;
    }
    return open_registry_target(session, location.reference,
                                source.kind == Kind::registry ? std::optional{source.reference}
                                                              : std::nullopt);
}

std::string source_name(CopyLocation const& source) {
    if (source.kind != Kind::registry) {
        return source.name.value_or("");
    }
    return source.reference.digest.has_value() ? source.reference.digest->to_string()
                                               : source.reference.tag.value_or("latest");
}

CopyName name_as_at_source(std::string const& name, std::optional<std::string> const& full) {
    if (store::Reference::is_valid_tag(name)) {
        return {.tag = name, .full = full};
    }
    bool const digest = base::Digest::parse(name).has_value();
    auto const reference = store::Reference::parse(full.value_or(digest ? "" : name));
    std::string tag = reference.has_value() ? reference->tag.value_or("latest") : "latest";
    return {.tag = std::move(tag), .full = full};
}

Result<CopyName> target_name(CopyLocation const& target, CopyName const& at_source) {
    if (target.kind == Kind::registry) {
        if (target.reference.digest.has_value()) {
            return fail(Errno::einval, "", "cannot copy to a digest reference");
        }
        return CopyName{.tag = target.reference.tag.value_or("latest"), .full = {}};
    }
    if (!target.name.has_value()) {
        return at_source;
    }
    if (target.kind != Kind::docker_archive) {
        return CopyName{.tag = *target.name, .full = {}};
    }
    auto const reference = OBLEA_TRY(store::Reference::parse(*target.name)).with_default_tag();
    return CopyName{.tag = reference.tag.value_or("latest"), .full = reference.canonical()};
}

}  // namespace oblea::registry
