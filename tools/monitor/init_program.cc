// SPDX-License-Identifier: MIT
#include "tools/monitor/init_program.h"

#include <unistd.h>

#include <array>

namespace oblea::tools {
namespace {

// Static ones, since the image may have no C library or another one: Debian's catatonit; what comes
// with podman elsewhere, and with docker; tini's, which is not what is called tini alone.
constexpr std::array kInitPrograms{
    "/usr/bin/catatonit",   "/usr/libexec/podman/catatonit",   "/usr/libexec/catatonit/catatonit",
    "/usr/bin/docker-init", "/usr/libexec/docker/docker-init", "/usr/bin/tini-static"};

}  // namespace

Result<std::string> find_init() {
    for (char const* program : kInitPrograms) {
        if (::access(program, X_OK) == 0) {
            return std::string{program};
        }
    }
    return fail(Errno::enoent, "",
                "--init wants a program that is the first in the container, and none is installed: "
                "install the package catatonit");
}

std::vector<std::string> below_init(std::vector<std::string> arguments) {
    std::vector<std::string> const front{kInitInside, "--"};
    arguments.insert(arguments.begin(), front.begin(), front.end());
    return arguments;
}

}  // namespace oblea::tools
