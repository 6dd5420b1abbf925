// SPDX-License-Identifier: MIT
// A repository at a registry as a place to copy from and to.
#pragma once
#include "tools/registry/copy/copy_place.h"
#include "tools/registry/registry_session.h"

#include <memory>

namespace oblea::registry {

// The registry itself: a mirror may lack parts that no pull asks for. `session` is borrowed.
// Errors: as RegistrySession::endpoints().
Result<std::unique_ptr<CopySource>> open_registry_source(RegistrySession& session,
                                                         store::Reference const& repository);

// Blobs are mounted from the repository `source`, where that is at the same registry.
Result<std::unique_ptr<CopyTarget>>
open_registry_target(RegistrySession& session, store::Reference const& repository,
                     std::optional<store::Reference> const& source);

}  // namespace oblea::registry
