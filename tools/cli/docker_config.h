// SPDX-License-Identifier: MIT
// What docker's users have set in their config.json (DOCKER_CONFIG, else ~/.docker) for its
// commands.
#pragma once
#include "store/base/error.h"

#include <string>

namespace oblea::tools {

// A text such as "psFormat"; empty where nothing is set. Errors: EINVAL for a file that is no JSON;
// as read(2).
Result<std::string> docker_setting(char const* key);

}  // namespace oblea::tools
