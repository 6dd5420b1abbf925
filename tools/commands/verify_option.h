// SPDX-License-Identifier: MIT
// --verify of the commands that mount images.
#pragma once
#include "store/image/image_view.h"
#include "tools/cli/command.h"

namespace oblea::tools {

[[nodiscard]] Option verify_option(bool& target);

[[nodiscard]] constexpr store::Contents contents_for(bool verify) {
    return verify ? store::Contents::verified : store::Contents::trusted;
}

}  // namespace oblea::tools
