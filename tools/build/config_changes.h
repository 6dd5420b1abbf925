// SPDX-License-Identifier: MIT
// Instructions that change an image's config, as `commit --change` and `import --change` take them.
//
// Pure. Spec: Dockerfile reference, of the instructions CMD, ENTRYPOINT, ENV, EXPOSE, HEALTHCHECK,
// LABEL, ONBUILD, STOPSIGNAL, USER, VOLUME and WORKDIR; docker-commit(1).
#pragma once
#include "store/base/error.h"

#include <nlohmann/json_fwd.hpp>

#include <span>
#include <string>

namespace oblea::tools::build {

// `config` is the object of that name in an image's config. Instructions are carried out in their
// order, with the variables of ENV replaced. Errors: EINVAL naming the instruction; then `config`
// may be changed in part.
Status apply_config_changes(nlohmann::json& config, std::span<std::string const> instructions);

}  // namespace oblea::tools::build
