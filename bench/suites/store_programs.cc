// SPDX-License-Identifier: MIT
// Import and gc: programs against each other, no mount.
#include "bench/suites/suites.h"
#include "store/base/sys.h"

#include <unistd.h>

namespace oblea::bench {
namespace {

namespace sys = base::sys;

TreeSpec image_spec(Settings const& settings) {
    constexpr std::uint64_t kMiB = std::uint64_t{1} << 20U;
    auto const files = static_cast<unsigned>(
        settings.files != 0 ? settings.files : settings.by_size(40U, 5'000U, 40'000U));
    return {.layers = 6,
            .files = files,
            .file_bytes = 6'000,
            .files_per_folder = 50,
            .large = {{"one", settings.by_size(kMiB, 50 * kMiB, 200 * kMiB)},
                      {"two", settings.by_size(kMiB, 50 * kMiB, 200 * kMiB)}}};
}

Status import_by_oblea(Bench& bench, std::string const& store, Tree const& tree) {
    return run({bench.settings().oblea, "--root", store, "import", "--progress", "none",
                tree.layout, "bench"});
}

// podman with a root of its own; the one of this machine is not touched.
Status import_by_podman(std::string const& base, Tree const& tree) {
    auto const loaded =
        run({"podman", "--root", base + "/root", "--runroot", base + "/run", "--storage-driver",
             "overlay", "--tmpdir", base + "/tmp", "pull", "-q", "oci:" + tree.layout});
    // The overlay driver binds its root to itself.
    static_cast<void>(run({"umount", base + "/root/overlay"}));
    return loaded;
}

Status unpack_by_tar(std::string const& base, Tree const& tree) {
    std::string const blobs = tree.layout + "/blobs/sha256";
    auto const folder = OBLEA_TRY(sys::open(blobs, O_RDONLY | O_DIRECTORY));
    for (sys::DirEntry const& blob : OBLEA_TRY(sys::list_dir(folder.get()))) {
        auto const info = OBLEA_TRY(sys::fstatat(folder.get(), blob.name.c_str()));
        if (info.st_size % 512 == 0) {  // the config and the manifest are no tars
            OBLEA_TRY(run({"tar", "-xf", blobs + '/' + blob.name, "-C", base}));
        }
    }
    ::sync();
    return {};
}

using Import = std::function<Status(std::string const& folder)>;

Bench::Entrant importer(Bench& bench, std::string const& name, Import import) {
    return {.name = name, .once = [&bench, import = std::move(import)]() -> Result<double> {
                std::string const folder = OBLEA_TRY(bench.space().fresh_folder("import"));
                ::sync();
                double const seconds = OBLEA_TRY(timed([&] { return import(folder); }));
                OBLEA_TRY(sys::remove_tree(AT_FDCWD, folder.c_str()));
                return seconds;
            }};
}

}  // namespace

Status run_import(Bench& bench) {
    Tree const tree = OBLEA_TRY(make_tree(bench.space(), image_spec(bench.settings())));
    Work const work{.suite = "import",
                    .name = "an OCI layout with plain layers into an empty store",
                    .parameter = {},
                    .reference = "podman pull"};
    return bench.run_entrants(
        work, {importer(bench, "podman pull",
                        [&](std::string const& base) { return import_by_podman(base, tree); }),
               importer(bench, "oblea import",
                        [&](std::string const& base) {
                            return import_by_oblea(bench, base + "/store", tree);
                        }),
               importer(bench, "tar -x and sync",
                        [&](std::string const& base) { return unpack_by_tar(base, tree); })});
}

Status run_gc(Bench& bench) {
    Tree const tree = OBLEA_TRY(make_tree(bench.space(), image_spec(bench.settings())));
    std::string const& oblea = bench.settings().oblea;
    Work const work{.suite = "gc",
                    .name = "the only image removed and its space freed",
                    .parameter = {},
                    .reference = "rm -rf"};
    auto const by_gc = [&]() -> Result<double> {
        std::string const store = OBLEA_TRY(bench.space().fresh_folder("store"));
        OBLEA_TRY(import_by_oblea(bench, store, tree));
        OBLEA_TRY(drop_caches());
        return timed([&]() -> Status {
            OBLEA_TRY(run({oblea, "--root", store, "rmi", "bench"}));
            return run({oblea, "--root", store, "gc"});
        });
    };
    auto const by_rm = [&]() -> Result<double> {
        std::string const copy = OBLEA_TRY(bench.space().fresh_folder("copy"));
        OBLEA_TRY(run({"cp", "-a", tree.merged, copy}));
        OBLEA_TRY(drop_caches());
        return timed([&] { return run({"rm", "-rf", copy}); });
    };
    return bench.run_entrants(work, {{"rm -rf", by_rm}, {"oblea rmi, gc", by_gc}});
}

}  // namespace oblea::bench
