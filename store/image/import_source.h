// SPDX-License-Identifier: MIT
// What a user names to import from: a path, standard input, or one of skopeo's transports.
#pragma once
#include "store/index/types.h"

#include <optional>
#include <string>
#include <string_view>

namespace oblea::store {

struct ImportSource {
    enum class Kind {
        path,                // a file or a folder, to be recognised
        standard_input,      // "-"
        oci_layout,          // oci:DIR[:REF]
        oci_archive,         // oci-archive:FILE[:REF]
        docker_archive,      // docker-archive:FILE[:REF], [:@INDEX]
        containers_storage,  // containers-storage:NAME
    };
    Kind kind = Kind::path;
    std::string location;                 // path, or the name in containers-storage
    std::optional<std::string> selected;  // which of its images; all of them without
};

// Pure. Errors: EINVAL for a transport that cannot be imported from, saying what to use instead.
// A path that looks like a transport is written as ./oci:x.
Result<ImportSource> parse_import_source(std::string_view text);

// The name that a layout or an archive has by its place, for images that it knows by a tag only:
// "debian" for "/x/debian.tar.gz". Empty when there is none that could be an image's name.
std::string repository_of(ImportSource const& source);

}  // namespace oblea::store
