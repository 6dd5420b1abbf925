// SPDX-License-Identifier: MIT
// Ending and waiting for containers from outside, by their monitors.
#pragma once
#include "store/store.h"
#include "tools/monitor/wire.h"

namespace oblea::tools {

// Errors: ESRCH when it does not run.
Status signal_container(store::Store const& store, Container const& container, int signal,
                        Frame::Kind kind);

// Lets all processes of a container stand still, and go on. Errors: ESRCH when it does not run;
// EBUSY when it is as asked for already, or does not stand still.
enum class Pause { begin, end };
Status pause_container(store::Store const& store, Container const& container, Pause pause);

// Sends `signal`, waits so long, then SIGKILL. One that does not run is left as it is. It is not
// started again, whatever its policy.
Status stop_container(store::Store const& store, Container const& container, int signal,
                      int patience_ms);

// Until it does not run; its exit status.
Result<int> wait_container(store::Store const& store, Container const& container);

// Lets the monitor of a build's step end, which has kept the step's tree mounted after the command;
// a command that still runs is killed.
Status release_container(store::Store const& store, Container const& container);

}  // namespace oblea::tools
