// SPDX-License-Identifier: MIT
// What commands on several names have in common: those that fail do not keep the others.
#pragma once
#include "tools/cli/context.h"

#include <functional>
#include <span>
#include <string>

namespace oblea::tools {

// As docker's --force: what is not there is told, but is no failure.
enum class Force { no, yes };

// Calls `act` for each name, prints the errors, and returns the exit status.
int for_each_name(Context const& context, std::span<std::string const> names, Force force,
                  std::function<Status(std::string const&)> const& act);

}  // namespace oblea::tools
