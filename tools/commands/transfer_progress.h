// SPDX-License-Identifier: MIT
// What is told of blobs on their way, as --progress says: for push and copy.
#pragma once
#include "tools/cli/context.h"
#include "tools/output/progress.h"
#include "tools/registry/transfer_blobs.h"

#include <memory>
#include <string>

namespace oblea::tools {

// A line beside the blobs' own, as --progress wants it.
void say_beside(Context const& context, std::string const& mode, std::string const& text);

// Live lines go away with it. What it uses is borrowed.
class TransferProgress {
public:
    // `mode` is of progress_option(). Automatic: a line for each event where standard output is no
    // terminal.
    TransferProgress(Context const& context, std::string const& mode);

    [[nodiscard]] registry::TransferListener const& listener() const { return listener_; }

private:
    std::unique_ptr<Progress> live_;
    registry::TransferListener listener_;
};

}  // namespace oblea::tools
