// SPDX-License-Identifier: MIT
// The OCI runtime that runs containers: crun, else runc.
//
// Its state is in the container's folder, so that nothing is left elsewhere. Spec: OCI runtime-spec
// runtime.md "Lifecycle"; crun(1), runc(8).
#pragma once
#include "store/base/error.h"
#include "store/base/unique_fd.h"

#include <sys/types.h>

#include <optional>
#include <string>
#include <vector>

namespace oblea::tools {

struct StandardStreams {
    int in = -1;
    int out = -1;
    int err = -1;
};

class Runtime {
public:
    // crun or runc, whichever is installed, or what OBLEA_RUNTIME names. Errors: ENOENT naming the
    // packages.
    static Result<Runtime> find();

    // What must be done in this process's own mount namespace so that the runtime works: crun wants
    // cgroups of one version, and containers get none of the machine's.
    [[nodiscard]] Status prepare_namespace() const;

    // `bundle` is the open folder of the bundle, `id` the container's. The first process waits for
    // start(), and is a child of the calling process (a subreaper) from then on. With a terminal
    // its master comes by `console_socket`, a path relative to the bundle. Errors: EIO with what
    // the runtime says.
    Result<pid_t> create(int bundle, std::string const& id, StandardStreams const& streams,
                         std::optional<std::string> const& console_socket) const;
    Status start(int bundle, std::string const& id) const;
    Status remove(int bundle, std::string const& id) const;  // whatever state it is in

    // The command line that runs `process` (a file, relative to the bundle) in it.
    [[nodiscard]] std::vector<std::string> exec_command(std::string const& id,
                                                        std::string const& process,
                                                        std::vector<std::string> options) const;

private:
    explicit Runtime(std::string program) : program_(std::move(program)) {}
    [[nodiscard]] bool is_crun() const;
    [[nodiscard]] std::vector<std::string> command(std::vector<std::string> rest) const;
    Status run(int bundle, std::vector<std::string> rest) const;

    std::string program_;
};

// Forks and executes in the folder `folder`; only the three streams (-1: /dev/null) are handed on.
Result<pid_t> spawn(std::vector<std::string> arguments, int folder, StandardStreams const& streams);

}  // namespace oblea::tools
