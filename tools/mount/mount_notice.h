// SPDX-License-Identifier: MIT
// What a mount that is in no store says of itself: memory of the process that holds it, found by
// those who may look into that process. It goes with the process, however that ends.
#pragma once
#include "store/base/error.h"
#include "store/base/unique_fd.h"

#include <sys/types.h>

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace oblea::tools {

class MountNotice {
public:
    // Who reads meanwhile gets the text before or this one.
    Status write(std::string_view text);

private:
    base::UniqueFd memory_;
};

// Processes that have a notice: the one that wrote it, and those that were forked from it.
Result<std::vector<pid_t>> processes_with_notice();

struct FoundNotice {
    std::string text;
    pid_t own_pid = 0;  // of the process, as it sees itself
};
// nullopt: there is none, or the process is gone.
std::optional<FoundNotice> read_notice(pid_t process);

}  // namespace oblea::tools
