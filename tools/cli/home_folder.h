// SPDX-License-Identifier: MIT
// Where the settings of docker and podman are looked for.
#pragma once
#include <cstdlib>
#include <string>

namespace oblea::tools {

[[nodiscard]] inline std::string home_folder() {
    char const* const home = std::getenv("HOME");
    return home == nullptr ? "/root" : home;
}

}  // namespace oblea::tools
