// SPDX-License-Identifier: MIT
// What runs containers where no OCI runtime is installed: processes in namespaces of their own with
// a changed root, from the same description that crun and runc are given.
//
// As those two: namespaces for processes, mounts, IPC, host name and, when asked for, network;
// capabilities, masked and read-only paths as the description says; no limits, no seccomp.
#pragma once
#include "store/base/error.h"
#include "store/base/unique_fd.h"
#include "tools/monitor/standard_streams.h"

#include <sys/types.h>

#include <optional>
#include <string>

namespace oblea::tools {

// One that is made and waits, or runs.
class OwnContainer {
public:
    // By config.json in `bundle`. Forks; the first process waits for start(), is a child of the
    // calling process (a subreaper), and ends with this object unless it was started. With a
    // terminal its master goes to `console_socket`, a name in the bundle. Errors: EINVAL of the
    // description; as the namespaces and mounts.
    static Result<OwnContainer> create(int bundle, StandardStreams const& streams,
                                       std::optional<std::string> const& console_socket);

    [[nodiscard]] pid_t init() const { return init_; }
    // Errors: ENOENT and others when the command cannot be executed; then the process ends.
    Status start();
    Status kill() const;  // whatever state it is in

private:
    OwnContainer(pid_t init, base::UniqueFd process, base::UniqueFd gate)
        : init_(init), process_(std::move(process)), gate_(std::move(gate)) {}
    pid_t init_;
    base::UniqueFd process_;  // a number might be another's by now
    base::UniqueFd gate_;     // tells the process to begin; it answers when it cannot
};

struct OwnExec {
    int bundle = -1;      // the folder
    std::string process;  // a file in it
    pid_t init = -1;      // of the container
    enum class Wait { until_it_ends, no } wait = Wait::until_it_ends;
    enum class Input { none, standard_input } input = Input::none;
};

// A further command in a running container, with this process's streams; what that ends with. The
// calling process, which is in the namespaces of the container's monitor, moves into the
// container's. Errors: as those.
Result<int> exec_in_own(OwnExec const& exec);

}  // namespace oblea::tools
