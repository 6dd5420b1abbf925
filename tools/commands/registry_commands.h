// SPDX-License-Identifier: MIT
// What the commands that talk to registries share.
#pragma once
#include "tools/cli/context.h"
#include "tools/registry/registry_session.h"

#include <atomic>
#include <memory>

namespace oblea::tools {

// Warnings and notes go to the context, which has to outlive the session.
Result<std::unique_ptr<registry::RegistrySession>>
open_registry_session(Context const& context, std::atomic<bool> const* cancel);

// What to pull for a name as it was typed, the first first; where the settings leave it open and
// there is a terminal, the user is asked. Errors: as resolve_short_name(); ECANCELED.
Result<std::vector<store::Reference>> choose_names(Context const& context,
                                                   registry::RegistrySession const& session,
                                                   std::string const& typed);

// The domain that a user means by SERVER of login and logout: without scheme and path, docker.io
// where nothing is said. Errors: EINVAL for what is none.
Result<std::string> parse_server(std::optional<std::string> const& typed);

}  // namespace oblea::tools
