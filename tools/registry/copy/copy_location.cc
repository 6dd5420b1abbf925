// SPDX-License-Identifier: MIT
#include "tools/registry/copy/copy_location.h"

#include "store/image/import_source.h"

namespace oblea::registry {

namespace {

constexpr std::string_view kRegistryPrefix = "docker://";

std::unexpected<Error> no_place(std::string_view text) {
    return fail(Errno::einval, "",
                "cannot copy from or to \"" + std::string{text} +
                    "\"; there are NAME or docker://NAME, oci:DIR[:TAG], oci-archive:FILE[:TAG] "
                    "and docker-archive:FILE[:NAME]");
}

}  // namespace

Result<CopyLocation> parse_copy_location(std::string_view text) {
    using From = store::ImportSource::Kind;
    using Kind = CopyLocation::Kind;
    CopyLocation location;
    bool const at_registry = text.starts_with(kRegistryPrefix);
    for (std::string_view const other : {"dir:", "docker-daemon:", "containers-storage:"}) {
        if (text.starts_with(other)) {
            return no_place(text);
        }
    }
    for (std::string_view const prefix : {"oci:", "oci-archive:", "docker-archive:"}) {
        if (!text.starts_with(prefix)) {
            continue;
        }
        auto source = OBLEA_TRY(store::parse_import_source(text));
        location.kind = source.kind == From::oci_layout    ? Kind::oci_layout
                        : source.kind == From::oci_archive ? Kind::oci_archive
                                                           : Kind::docker_archive;
        location.path = std::move(source.location);
        location.name = std::move(source.selected);
        return location;
    }
    location.reference = OBLEA_TRY(
        store::Reference::parse(at_registry ? text.substr(kRegistryPrefix.size()) : text));
    return location;
}

}  // namespace oblea::registry
