// SPDX-License-Identifier: MIT
// What runs containers: the OCI runtime crun, else runc, else oblea itself (own_runtime.h).
//
// A runtime's state is in the container's folder, so that nothing is left elsewhere. Spec: OCI
// runtime-spec runtime.md "Lifecycle"; crun(1), runc(8).
#pragma once
#include "store/base/error.h"
#include "store/base/unique_fd.h"
#include "tools/monitor/own_runtime.h"
#include "tools/monitor/standard_streams.h"

#include <sys/types.h>

#include <optional>
#include <string>
#include <vector>

namespace oblea::tools {

class Runtime {
public:
    // crun, runc or oblea's own, the first that is there, or what OBLEA_RUNTIME names ("oblea": its
    // own). Errors: ENOENT when that is not there.
    static Result<Runtime> find();

    // Whether it is none, and oblea does what they do.
    [[nodiscard]] bool is_own() const { return program_.empty(); }
    // Whether it gives each container cgroups, limits or not (runc, which leaves them behind).
    [[nodiscard]] bool makes_cgroups() const { return !is_own() && !is_crun(); }

    // What must be done in this process's own mount namespace so that the runtime works: crun wants
    // cgroups of one version, and containers get none of the machine's.
    [[nodiscard]] Status prepare_namespace() const;

    // `bundle` is the open folder of the bundle, `id` the container's. The first process waits for
    // start(), and is a child of the calling process (a subreaper) from then on. With a terminal
    // its master comes by `console_socket`, a path relative to the bundle. Errors: EIO with what
    // the runtime says.
    Result<pid_t> create(int bundle, std::string const& id, StandardStreams const& streams,
                         std::optional<std::string> const& console_socket);
    Status start(int bundle, std::string const& id);
    Status remove(int bundle, std::string const& id) const;  // whatever state it is in

    // Forks a process that runs a further command in a container that any such object has made, and
    // ends as that does.
    struct Exec {
        std::string id;
        OwnExec what;
    };
    [[nodiscard]] Result<pid_t> exec(Exec const& exec, StandardStreams const& streams) const;

private:
    explicit Runtime(std::string program) : program_(std::move(program)) {}
    [[nodiscard]] bool is_crun() const;
    [[nodiscard]] std::vector<std::string> command(std::vector<std::string> rest) const;
    Status run(int bundle, std::vector<std::string> rest) const;

    std::string program_;              // empty: oblea's own
    std::optional<OwnContainer> own_;  // what that has made
};

enum class ChildLife { its_own, with_caller };

// Forks and executes in the folder `folder`; only the three streams (-1: /dev/null) are handed on.
Result<pid_t> spawn(std::vector<std::string> arguments, int folder, StandardStreams const& streams,
                    ChildLife life = ChildLife::its_own);

}  // namespace oblea::tools
