// SPDX-License-Identifier: MIT
#include "store/image/import_source.h"

#include "store/image/reference.h"

#include <array>

namespace oblea::store {

namespace {

struct Transport {
    std::string_view prefix;
    ImportSource::Kind kind;
};

constexpr std::array kTransports = {
    Transport{"oci:", ImportSource::Kind::oci_layout},
    Transport{"oci-archive:", ImportSource::Kind::oci_archive},
    Transport{"docker-archive:", ImportSource::Kind::docker_archive},
    Transport{"containers-storage:", ImportSource::Kind::containers_storage},
};

struct Refused {
    std::string_view prefix;
    char const* advice;
};

constexpr std::array kRefused = {
    Refused{"dir:", "copy it first: skopeo copy dir:... oci:..."},
    Refused{"docker://", "an image in a registry is pulled, not imported: oblea pull NAME"},
    Refused{"docker-daemon:", "pipe it instead: docker save NAME | oblea import -"},
};

std::unexpected<Error> no_location(std::string_view text) {
    return fail(Errno::einval, "", '"' + std::string{text} + "\" names nothing to import from");
}

}  // namespace

Result<ImportSource> parse_import_source(std::string_view text) {
    for (Refused const& refused : kRefused) {
        if (text.starts_with(refused.prefix)) {
            return fail(Errno::einval, "",
                        "cannot import from " + std::string{text} + "; " + refused.advice);
        }
    }
    ImportSource source;
    for (Transport const& transport : kTransports) {
        if (!text.starts_with(transport.prefix)) {
            continue;
        }
        source.kind = transport.kind;
        std::string_view const rest = text.substr(transport.prefix.size());
        // A name has colons of its own; a path, as skopeo cuts it, has none.
        auto const colon = transport.kind == ImportSource::Kind::containers_storage
                               ? std::string_view::npos
                               : rest.find(':');
        source.location = rest.substr(0, colon);
        if (colon != std::string_view::npos && colon + 1 < rest.size()) {
            source.selected = rest.substr(colon + 1);
        }
        return source.location.empty() ? Result<ImportSource>{no_location(text)}
                                       : Result<ImportSource>{std::move(source)};
    }
    if (text.empty()) {
        return no_location(text);
    }
    source.location = text;
    if (text == "-") {
        source.kind = ImportSource::Kind::standard_input;
    }
    return source;
}

std::string repository_of(ImportSource const& source) {
    if (source.kind == ImportSource::Kind::standard_input ||
        source.kind == ImportSource::Kind::containers_storage) {
        return "";
    }
    std::string_view path = source.location;
    while (path.ends_with('/')) {
        path.remove_suffix(1);
    }
    std::string_view name = path.substr(path.rfind('/') + 1);
    for (std::string_view const suffix : {".gz", ".zst", ".xz", ".bz2", ".tar", ".tgz", ".oci"}) {
        if (name.ends_with(suffix)) {
            name.remove_suffix(suffix.size());
        }
    }
    auto const reference = Reference::parse(name);
    bool const is_name =
        reference.has_value() && !reference->tag.has_value() && !reference->digest.has_value();
    return is_name ? std::string{name} : "";
}

}  // namespace oblea::store
