// SPDX-License-Identifier: MIT
// The cgroup of a container that has limits: oblea/<id> in each hierarchy that is needed, of
// version 1 or 2, whatever runtime makes the container.
//
// Made by root only: whom systemd has given a part of the tree has it below the session that the
// container would have to leave. Containers without limits have none. Spec: Linux cgroup-v2.rst,
// cgroup-v1/.
#pragma once
#include "store/base/error.h"
#include "store/base/unique_fd.h"
#include "tools/container/resource_limits.h"

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <vector>

namespace oblea::tools {

// Whether make() could do it. Errors: EOPNOTSUPP, EPERM, naming what is missing and the option.
Status check_cgroups(ResourceLimits const& limits);

class Cgroup {
public:
    // Where /sys/fs/cgroup is the machine's. One that an earlier run has left is used. Errors: as
    // check_cgroups(); as the files of the hierarchies.
    static Result<Cgroup> make(std::string const& id, ResourceLimits const& limits);

    // What the kernel cannot limit, in docker's words.
    [[nodiscard]] std::vector<std::string> const& warnings() const { return warnings_; }

    // Moves a process there; what it forks is there too.
    [[nodiscard]] Status add(pid_t process) const;

    // How often the kernel has killed one of its processes for want of memory.
    [[nodiscard]] std::uint64_t oom_kills() const;

    // Once its processes have ended, or are about to: waits a moment for those. Wherever
    // /sys/fs/cgroup is seen.
    void remove() const;

private:
    Status fill(ResourceLimits const& limits);

    struct Folder {
        base::UniqueFd parent;
        base::UniqueFd own;
    };
    std::string id_;
    std::vector<Folder> folders_;
    std::vector<std::string> warnings_;
};

// Moves this process into the cgroup of a container, if it has one: what it does for that counts.
Status enter_cgroup(std::string const& id);

// Whatever cgroups a container has left in any hierarchy, where its monitor could not tidy up, or
// the runtime makes more of them. Waits as remove() does.
void remove_cgroups(std::string const& id);

// For config.json: where a runtime that makes cgroups itself (runc) makes them.
std::string cgroup_path(std::string const& id);

}  // namespace oblea::tools
