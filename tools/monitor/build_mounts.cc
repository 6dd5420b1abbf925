// SPDX-License-Identifier: MIT
#include "tools/monitor/build_mounts.h"

#include "store/base/sys.h"
#include "tools/mount/private_mounts.h"

#include <fmt/format.h>
#include <sys/mount.h>

#include <cstdlib>

namespace oblea::tools {
namespace {

namespace sys = base::sys;
using base::UniqueFd;

constexpr std::size_t kSecretBytesMax = 512U << 10U;  // docker's
constexpr char const* kBundle = "bundle";

Result<std::string> secret_text(SecretSource const& secret) {
    if (!secret.file.empty()) {
        return with_context(sys::read_file(AT_FDCWD, secret.file.c_str(), kSecretBytesMax),
                            [&] { return "secret " + secret.file; });
    }
    char const* const value = std::getenv(secret.env.c_str());
    if (value == nullptr) {
        return fail(Errno::enoent, "",
                    fmt::format("secret: the variable {} is not set", secret.env));
    }
    return std::string{value};
}

Status write_secret(UniqueFd const& folder, std::string const& name, SecretMount const& secret) {
    std::string const text = OBLEA_TRY(secret_text(secret.source));
    UniqueFd const file =
        OBLEA_TRY(sys::openat(folder.get(), name.c_str(), O_WRONLY | O_CREAT | O_EXCL, 0600));
    OBLEA_TRY(sys::write_all(file.get(), base::bytes_of(text)));
    if (secret.uid != 0 || secret.gid != 0) {
        OBLEA_TRY(sys::fchownat(folder.get(), name.c_str(), secret.uid, secret.gid));
    }
    return sys::fchmod(file.get(), secret.mode);
}

}  // namespace

Status BuildMounts::make(store::Store const& store, std::string const& folder,
                         BuildRun const& run) {
    OBLEA_TRY(make_secrets(folder, run));
    OBLEA_TRY(make_scripts(folder, run.scripts));
    for (TreeMount const& tree : run.trees) {
        OBLEA_TRY(with_context(make_tree(store.options(), tree), [&] { return tree.target; }));
    }
    for (CacheMount const& cache : run.caches) {
        OBLEA_TRY(with_context(make_cache(cache), [&] { return cache.target; }));
    }
    return {};
}

// In memory: this mount namespace is the monitor's own, and the tmpfs ends with it.
Status BuildMounts::make_secrets(std::string const& folder, BuildRun const& run) {
    std::vector<SecretMount> const& secrets = run.secrets;
    if (secrets.empty() && run.variables.empty()) {
        return {};
    }
    std::string const path = folder + "/secrets";
    OBLEA_TRY(sys::mkdirat_if_missing(AT_FDCWD, path.c_str(), 0700));
    if (::mount("tmpfs", path.c_str(), "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, "mode=0755") !=
        0) {
        return fail(sys::last_errno(), "mount", path);
    }
    UniqueFd const opened = OBLEA_TRY(sys::open(path, O_RDONLY | O_DIRECTORY));
    for (std::size_t i = 0; i < secrets.size(); ++i) {
        std::string const name = std::to_string(i);
        OBLEA_TRY(write_secret(opened, name, secrets[i]));
        binds_.push_back({.source = path + '/' + name,
                          .target = secrets[i].target,
                          .access = BindMount::Access::read_only});
    }
    for (SecretVariable const& variable : run.variables) {
        std::string const value = OBLEA_TRY(secret_text(variable.source));
        variables_.push_back(variable.name + '=' + value);
    }
    if (!variables_.empty()) {
        OBLEA_TRY(sys::mkdirat(opened.get(), kBundle, 0700));
        bundle_ = OBLEA_TRY(sys::openat(opened.get(), kBundle, O_RDONLY | O_DIRECTORY));
    }
    return {};
}

Status BuildMounts::make_scripts(std::string const& folder,
                                 std::vector<ScriptMount> const& scripts) {
    for (std::size_t i = 0; i < scripts.size(); ++i) {
        std::string const path = folder + "/script" + std::to_string(i);
        OBLEA_TRY(sys::replace_file(AT_FDCWD, path.c_str(), scripts[i].text, 0755, sys::Sync::no));
        binds_.push_back(
            {.source = path, .target = scripts[i].target, .access = BindMount::Access::read_only});
    }
    return {};
}

Status BuildMounts::make_tree(store::StoreOptions const& store_options, TreeMount const& tree) {
    servers_.push_back(OBLEA_TRY(
        serve_privately(store_options, {.source = {.image = {}, .container = tree.container}})));
    UniqueFd const root =
        OBLEA_TRY(sys::open(servers_.back().info.mount_point, O_RDONLY | O_DIRECTORY));
    std::string const path = tree.path.empty() ? "." : tree.path;
    UniqueFd const shown = OBLEA_TRY(
        with_context(open_in_root(root, path.c_str(), O_PATH), [&] { return tree.path; }));
    // Where it really is, so that the runtime follows no link of the tree again.
    std::string real = OBLEA_TRY(sys::readlinkat(AT_FDCWD, sys::proc_path(shown.get()).c_str()));
    binds_.push_back({.source = std::move(real), .target = tree.target, .access = tree.access});
    return {};
}

Status BuildMounts::make_cache(CacheMount const& cache) {
    if (!OBLEA_TRY(sys::stat_if_exists(AT_FDCWD, cache.folder.c_str())).has_value()) {
        OBLEA_TRY(sys::mkdirat_if_missing(AT_FDCWD, cache.folder.c_str(), 0700));
        OBLEA_TRY(sys::fchownat(AT_FDCWD, cache.folder.c_str(), cache.uid, cache.gid));
        OBLEA_TRY(sys::fchmodat(AT_FDCWD, cache.folder.c_str(), cache.mode));
    }
    binds_.push_back({.source = cache.folder, .target = cache.target, .access = cache.access});
    return {};
}

void BuildMounts::end(store::Store const& store, BuildRun const& run, Trees trees) {
    for (PrivateServer const& server : servers_) {
        // One that ended by itself has left nothing.
        static_cast<void>(end_private_server(server));
    }
    servers_.clear();
    if (trees == Trees::keep) {
        return;
    }
    for (TreeMount const& tree : run.trees) {
        auto const container = find_container(store, tree.container);
        if (container.has_value() && container->has_value()) {
            static_cast<void>(remove_container(store, **container));  // else gc does
        }
    }
}

}  // namespace oblea::tools
