// SPDX-License-Identifier: MIT
// What runs in a chroot, and in which environment: the image's defaults under the caller's wishes.
// Pure.
//
// Spec: OCI image-spec config.md "config" (Env, Entrypoint, Cmd, WorkingDir, User).
#pragma once
#include "store/base/error.h"

#include <string>
#include <string_view>
#include <vector>

namespace oblea::tools {

struct ImageDefaults {
    std::vector<std::string> env;
    std::vector<std::string> entrypoint;
    std::vector<std::string> command;
    std::string workdir;
    std::string user;
};

// From the bytes of an image's config. Errors: EINVAL where a field has another type.
Result<ImageDefaults> parse_image_defaults(std::string_view config);

// The asked command, else the image's Entrypoint and Cmd, else /bin/sh.
std::vector<std::string> plan_command(ImageDefaults const& image,
                                      std::vector<std::string> const& asked);

struct EnvironmentSources {
    std::vector<std::string> image;   // Env
    std::vector<std::string> asked;   // --env: "NAME=VALUE", or "NAME" for the caller's value
    std::vector<std::string> caller;  // the environment of this process
    std::string home;
};

// PATH and HOME are always there, TERM when the caller has it; no name is there twice. Errors:
// EINVAL for an --env without a name.
Result<std::vector<std::string>> plan_environment(EnvironmentSources const& sources);

}  // namespace oblea::tools
