// SPDX-License-Identifier: MIT
// What `top` shows: the lines of ps(1) that are about a container's processes.
#pragma once
#include "store/base/error.h"

#include <sys/types.h>

#include <span>
#include <string>
#include <string_view>

namespace oblea::tools {

// `listed` is what ps has printed of all processes, with titles, one of them PID. Pure. Errors:
// EINVAL in docker's words, for a format without it.
Result<std::string> select_processes(std::string_view listed, std::span<pid_t const> wanted);

}  // namespace oblea::tools
