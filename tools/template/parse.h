// SPDX-License-Identifier: MIT
// From text to a tree. Pure.
//
// Spec: Go's text/template; messages are Go's: "template: :1: unclosed action".
#pragma once
#include "tools/template/functions.h"
#include "tools/template/node.h"

namespace oblea::tools::templates {

// Errors: EINVAL with the message of Go's parser.
Result<Tree> parse(std::string_view text, Functions const& functions);

}  // namespace oblea::tools::templates
