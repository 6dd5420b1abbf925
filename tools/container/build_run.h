// SPDX-License-Identifier: MIT
// What a container has that runs one step of a build, beside what `run` can give one.
//
// Such a container belongs to the build that made it and is of no use without it: its monitor ends
// and removes it when the build ends, and what is left after worse is recognised by the build's
// lease (tools/build/leftovers.h). Pure. Spec: Dockerfile reference "RUN --mount".
#pragma once
#include "store/base/error.h"
#include "tools/container/bind_mount.h"
#include "tools/container/tmpfs_mount.h"

#include <nlohmann/json_fwd.hpp>

#include <cstdint>
#include <string>
#include <vector>

namespace oblea::tools {

// Where the monitor reads a secret, which is never written to the store.
struct SecretSource {
    std::string file;  // of the machine; empty: the variable `env` of the monitor's environment
    std::string env;
    auto operator<=>(SecretSource const&) const = default;
};

// A file that is only ever in memory.
struct SecretMount {
    std::string target;
    SecretSource source;
    std::uint32_t uid = 0;
    std::uint32_t gid = 0;
    std::uint32_t mode = 0400;
    auto operator<=>(SecretMount const&) const = default;
};

// A secret that the command has as a variable of its environment.
struct SecretVariable {
    std::string name;
    SecretSource source;
    auto operator<=>(SecretVariable const&) const = default;
};

// A folder or file of another container, which is there for this alone: of an image, a stage or the
// context. What is written to it is lost with that container.
struct TreeMount {
    std::string container;  // id
    std::string path;       // inside that tree; links do not lead out of it
    std::string target;
    BindMount::Access access = BindMount::Access::read_only;
    auto operator<=>(TreeMount const&) const = default;
};

// A folder of the machine that outlives the container: made when it is not there.
struct CacheMount {
    std::string folder;  // absolute
    std::string target;
    std::uint32_t uid = 0;
    std::uint32_t gid = 0;
    std::uint32_t mode = 0755;
    BindMount::Access access = BindMount::Access::read_write;
    auto operator<=>(CacheMount const&) const = default;
};

// A text of the Dockerfile that is run as a program.
struct ScriptMount {
    std::string target;
    std::string text;
    auto operator<=>(ScriptMount const&) const = default;
};

struct BuildRun {
    std::string lease;  // of the build, as Lease::path()
    std::vector<TmpfsMount> tmpfs;
    std::vector<SecretMount> secrets;
    std::vector<SecretVariable> variables;
    std::vector<TreeMount> trees;
    std::vector<CacheMount> caches;
    std::vector<ScriptMount> scripts;
    bool operator==(BuildRun const&) const = default;

    // Where something is mounted.
    [[nodiscard]] std::vector<std::string> targets() const;
};

// An object of container.json and back. Errors: EINVAL.
nlohmann::json encode_build_run(BuildRun const& run);
Result<BuildRun> parse_build_run(nlohmann::json const& object);

}  // namespace oblea::tools
