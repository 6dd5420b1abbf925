// SPDX-License-Identifier: MIT
// What a step of a build is given by RUN --mount, put together in its monitor's namespaces.
#pragma once
#include "store/base/unique_fd.h"
#include "store/store.h"
#include "tools/container/build_run.h"
#include "tools/mount/private_server.h"

#include <string>
#include <vector>

namespace oblea::tools {

class BuildMounts {
public:
    BuildMounts() = default;
    BuildMounts(BuildMounts&&) noexcept = default;
    BuildMounts& operator=(BuildMounts&&) noexcept = default;
    BuildMounts(BuildMounts const&) = delete;
    BuildMounts& operator=(BuildMounts const&) = delete;
    ~BuildMounts() = default;

    // `folder` is the container's, absolute. Forks. Errors: ENOENT for a secret's file or variable,
    // or a path, that is not there; as serve_privately().
    Status make(store::Store const& store, std::string const& folder, BuildRun const& run);

    // What the runtime is to bind.
    [[nodiscard]] std::vector<BindMount> const& binds() const { return binds_; }

    // "NAME=VALUE" of secrets that are variables: for the bundle alone.
    [[nodiscard]] std::vector<std::string> const& variables() const { return variables_; }

    // An open folder in memory, for a bundle that tells such variables; -1: there are none.
    [[nodiscard]] int secret_bundle() const { return bundle_.get(); }

    // Unmounts the trees. `Trees::remove` removes their containers as well, for a build that is
    // gone.
    enum class Trees { keep, remove };
    void end(store::Store const& store, BuildRun const& run, Trees trees);

private:
    Status make_secrets(std::string const& folder, BuildRun const& run);
    Status make_scripts(std::string const& folder, std::vector<ScriptMount> const& scripts);
    Status make_tree(store::StoreOptions const& store_options, TreeMount const& tree);
    Status make_cache(CacheMount const& cache);

    std::vector<BindMount> binds_;
    std::vector<std::string> variables_;
    base::UniqueFd bundle_;
    std::vector<PrivateServer> servers_;
};

}  // namespace oblea::tools
