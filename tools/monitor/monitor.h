// SPDX-License-Identifier: MIT
// The process that a running container has: it mounts the container, has the OCI runtime run it,
// passes on and logs what it writes, notes how it ends, and starts it again where that is asked
// for.
//
// One for each running container, a child of nobody, out of reach of any terminal; no daemon above
// them. When it is killed, its server and the container end too (a guard waits for that), and the
// next who asks notes it (container_state.h).
#pragma once
#include "store/store.h"
#include "tools/container/run_config.h"
#include "tools/mount/containers.h"

#include <sys/types.h>

#include <optional>
#include <string>

namespace oblea::tools {

enum class Begin {
    at_once,
    when_told,  // by a frame: whoever wants all of the output attaches first
};

enum class MonitorLife {
    its_own,      // outlives the caller, as a container in the background does
    with_caller,  // a child of the caller: when that ends, the container ends too, and is removed
};

struct StartOutcome {
    // 0: it runs, or waits to be told. Else what `run` ends with: 126 when the command cannot be
    // executed, 127 when it is not found; `problem` says which.
    int exit_status = 0;
    std::string problem;
    pid_t monitor = -1;  // MonitorLife::with_caller: to be waited for
};

// Starts a monitor and returns once the container is made ready. Forks; the caller has one thread.
// Errors: EBUSY when it runs already; ENOENT without an OCI runtime, or without pasta where ports
// are published, naming the package; what the mount, the namespaces and the runtime say.
Result<StartOutcome> start_monitor(store::Store const& store, Container const& container,
                                   Begin begin, MonitorLife life = MonitorLife::its_own);

// What the container was made to run. Errors: EINVAL for one that was made by a mount.
Result<RunConfig> run_config_of(Container const& container);

// Whether it is started again, and after how long: twice as long each time, up to a minute, as
// docker does. Pure.
struct EndOfRun {
    int exit_code = 0;
    unsigned restarts = 0;  // so far
    enum class Stopped { by_itself, by_user } stopped = Stopped::by_itself;
};
std::optional<int> decide_restart_ms(RestartPolicy const& policy, EndOfRun const& end);

}  // namespace oblea::tools
