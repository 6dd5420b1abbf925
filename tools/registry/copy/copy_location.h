// SPDX-License-Identifier: MIT
// What a user names to copy from or to: a name at a registry, or one of skopeo's transports. Pure.
#pragma once
#include "store/image/reference.h"

#include <optional>
#include <string>
#include <string_view>

namespace oblea::registry {

struct CopyLocation {
    enum class Kind {
        registry,        // NAME[:TAG|@DIGEST], docker://NAME[:TAG|@DIGEST]
        oci_layout,      // oci:DIR[:NAME]
        oci_archive,     // oci-archive:FILE[:NAME]
        docker_archive,  // docker-archive:FILE[:NAME], [:@INDEX]
    };
    Kind kind = Kind::registry;
    store::Reference reference;       // of a registry
    std::string path;                 // of the others
    std::optional<std::string> name;  // which image there
};

// Errors: EINVAL for a transport that is none of these, saying what to use instead; as
// Reference::parse.
Result<CopyLocation> parse_copy_location(std::string_view text);

}  // namespace oblea::registry
