// SPDX-License-Identifier: MIT
// mount(8)'s way of calling a helper, translated into the words of `oblea mount`. Pure.
//
// Spec: mount(8) "EXTERNAL HELPERS": mount.TYPE IMAGE DIR [-sfnv] [-N namespace] [-o options]
// [-t type.subtype].
#pragma once
#include "store/base/error.h"

#include <optional>
#include <span>
#include <string>
#include <vector>

namespace oblea::tools {

// What `oblea` is to be called with; nothing when there is nothing to do (-f, a dry run).
// Errors: EINVAL naming the option that oblea does not know.
Result<std::optional<std::vector<std::string>>>
translate_mount_helper(std::span<std::string const> arguments);

}  // namespace oblea::tools
