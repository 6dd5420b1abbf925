// SPDX-License-Identifier: MIT
#include "tools/build/run_mounts.h"

#include "tools/build/metadata.h"

#include <fmt/format.h>

namespace oblea::tools::build {
namespace {

using dockerfile::Mount;

BindMount::Access access_of(Mount const& mount) {
    return mount.read_only ? BindMount::Access::read_only : BindMount::Access::read_write;
}

std::vector<std::string> tmpfs_options(Mount const& mount) {
    std::vector<std::string> options{"nosuid", "nodev"};
    if (mount.size_bytes > 0) {
        options.push_back("size=" + std::to_string(mount.size_bytes));
    }
    return options;
}

class Maker {
public:
    Maker(store::Store const& store, MountSources const& sources)
        : store_(store), sources_(sources) {}

    Status add(Mount const& mount) {
        switch (mount.type) {
        case Mount::Type::bind:
            return add_bind(mount);
        case Mount::Type::cache:
            return add_cache(mount);
        case Mount::Type::tmpfs:
            made_.run.tmpfs.push_back(
                {.target = target_of(mount), .options = tmpfs_options(mount)});
            made_.key.push_back("tmpfs " + target_of(mount));
            return {};
        case Mount::Type::secret:
            return add_secret(mount);
        }
        return {};
    }

    [[nodiscard]] RunMounts take() { return std::move(made_); }

private:
    [[nodiscard]] std::string target_of(Mount const& mount) const {
        return absolute_path(sources_.workdir, mount.target);
    }

    Status add_bind(Mount const& mount) {
        BoundSource source{.from = mount.from, .path = absolute_path("/", mount.source)};
        std::string const digest = OBLEA_TRY(sources_.digest(source));
        made_.run.trees.push_back({.container = {},
                                   .path = source.path,
                                   .target = target_of(mount),
                                   .access = access_of(mount)});
        made_.key.push_back(fmt::format("bind {} {} {}", digest, source.path, target_of(mount)));
        made_.trees.push_back(std::move(source));
        return {};
    }

    // What is in a cache decides nothing: the step is reused whatever it holds.
    Status add_cache(Mount const& mount) {
        if (!mount.from.empty()) {
            return fail(Errno::eopnotsupp, "",
                        "a cache that begins with the contents of an image (from=) is not "
                        "supported: copy them in the command");
        }
        std::string const target = target_of(mount);
        auto held =
            OBLEA_TRY(hold_cache(store_, mount.id.empty() ? target : mount.id, mount.sharing));
        made_.run.caches.push_back({.folder = held.folder,
                                    .target = target,
                                    .uid = mount.uid.value_or(0),
                                    .gid = mount.gid.value_or(0),
                                    .mode = mount.mode.value_or(0755),
                                    .access = access_of(mount)});
        made_.caches.push_back(std::move(held));
        made_.key.push_back("cache " + mount.id + ' ' + target);
        return {};
    }

    Status add_secret(Mount const& mount) {
        auto const given = sources_.secrets.find(mount.id);
        if (given == sources_.secrets.end()) {
            return mount.required
                       ? Status{fail(Errno::enoent, "",
                                     fmt::format("secret {0} is required: give it with --secret "
                                                 "id={0},src=FILE",
                                                 mount.id))}
                       : Status{};
        }
        if (mount.env.has_value()) {
            made_.run.variables.push_back(
                {.name = mount.env->empty() ? mount.id : *mount.env, .source = given->second});
        }
        if (!mount.env.has_value() || !mount.target.empty()) {
            std::string const target =
                mount.target.empty() ? "/run/secrets/" + mount.id : target_of(mount);
            made_.run.secrets.push_back({.target = target,
                                         .source = given->second,
                                         .uid = mount.uid.value_or(0),
                                         .gid = mount.gid.value_or(0),
                                         .mode = mount.mode.value_or(0400)});
        }
        // Its contents decide nothing, as with docker: who changes a password wants no new image.
        made_.key.push_back("secret " + mount.id + ' ' + mount.target);
        return {};
    }

    store::Store const& store_;
    MountSources const& sources_;
    RunMounts made_;
};

}  // namespace

Result<RunMounts> make_run_mounts(store::Store const& store, std::vector<Mount> const& mounts,
                                  MountSources const& sources) {
    Maker maker{store, sources};
    for (Mount const& mount : mounts) {
        OBLEA_TRY(maker.add(mount));
    }
    return maker.take();
}

}  // namespace oblea::tools::build
