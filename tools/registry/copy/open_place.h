// SPDX-License-Identifier: MIT
// Opens what a CopyLocation names.
#pragma once
#include "tools/registry/copy/copy_location.h"
#include "tools/registry/copy/copy_place.h"
#include "tools/registry/registry_session.h"

#include <memory>

namespace oblea::registry {

// `session` is borrowed. Errors: those of the places.
Result<std::unique_ptr<CopySource>> open_copy_source(RegistrySession& session,
                                                     CopyLocation const& location);

// `source` is where the images come from, for what a registry need not be sent.
Result<std::unique_ptr<CopyTarget>> open_copy_target(RegistrySession& session,
                                                     CopyLocation const& location,
                                                     CopyLocation const& source);

// What to ask of the source for the image that the location names.
[[nodiscard]] std::string source_name(CopyLocation const& source);

// The name that an image has at its source, for a target that is given none. `full` is
// CopySource::full_name().
[[nodiscard]] CopyName name_as_at_source(std::string const& name,
                                         std::optional<std::string> const& full);

// The name that the target is given; for a registry "latest" is meant where it has no tag. Errors:
// EINVAL for a digest.
Result<CopyName> target_name(CopyLocation const& target, CopyName const& at_source);

}  // namespace oblea::registry
