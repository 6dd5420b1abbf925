// SPDX-License-Identifier: MIT
// Instructions that change an image's config, as `commit --change` and `import --change` take them.
//
// Pure. Spec: Dockerfile reference, of the instructions CMD, ENTRYPOINT, ENV, EXPOSE, LABEL,
// ONBUILD, USER, VOLUME and WORKDIR; OCI image-spec config.md "config".
#pragma once
#include "store/base/error.h"

#include <nlohmann/json_fwd.hpp>

#include <span>
#include <string>

namespace oblea::store {

// `config` is the object of that name in an image's config. Instructions are carried out in their
// order. Errors: EINVAL naming the instruction; then `config` may be changed in part.
Status apply_config_changes(nlohmann::json& config, std::span<std::string const> instructions);

// Gives a variable its value in "Env", at the place that it had.
void set_variable(nlohmann::json& config, std::string const& name, std::string const& value);

}  // namespace oblea::store
