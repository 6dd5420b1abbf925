// SPDX-License-Identifier: MIT
// What the border between packs and objects costs: imports the same layers with each border, into a
// new store folder each, and prints time, objects and the space that is taken.
//
//   build/release/bin/import_threshold FOLDER RUNS BLOB...
//
// FOLDER should be on the disk to be judged, empty; the blobs, layers as they come, are read once
// before.
#include "store/base/sys.h"
#include "store/inventory.h"
#include "store/layer/import_layer.h"
#include "store/layer/layout.h"
#include "store/layer/staging.h"
#include "store/sync.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <ctime>

using namespace oblea;
using namespace oblea::store;

namespace {

namespace sys = base::sys;
using Clock = std::chrono::steady_clock;

struct Taken {
    double seconds = 0;
    double cpu_seconds = 0;  // of all threads
    std::uint64_t disk_bytes = 0;
    std::size_t objects = 0;
};

Result<base::UniqueFd> make_folder(std::string const& path) {
    for (char const* const name :
         {layout::kLayers, layout::kObjects, layout::kTmp, layout::kBlobs}) {
        OBLEA_TRY(sys::mkdir_all(path + '/' + name, 0700));
    }
    return sys::open(path, O_RDONLY | O_DIRECTORY);
}

Result<Taken> import_all(std::string const& folder, std::vector<std::string> const& blobs,
                         std::uint64_t threshold_bytes) {
    base::UniqueFd const root = OBLEA_TRY(make_folder(folder));
    LayerImportOptions options;
    options.object_threshold_bytes = threshold_bytes;
    options.keep_blob = LayerImportOptions::KeepBlob::no;
    auto const begin = Clock::now();
    std::clock_t const cpu = std::clock();
    auto const staging = OBLEA_TRY(ImportStaging::create(root.get()));
    for (std::string const& blob : blobs) {
        base::UniqueFd file = OBLEA_TRY(sys::open(blob, O_RDONLY));
        base::FdSource stream{std::move(file)};
        OBLEA_TRY(stage_layer(root.get(), *staging, stream, {}, options));
    }
    OBLEA_TRY(staging->publish(sync_threads()));
    Taken taken;
    taken.seconds = std::chrono::duration<double>(Clock::now() - begin).count();
    taken.cpu_seconds = static_cast<double>(std::clock() - cpu) / CLOCKS_PER_SEC;
    taken.disk_bytes = OBLEA_TRY(tree_bytes(root.get(), "."));
    auto const inventory = OBLEA_TRY(take_inventory(root.get()));
    taken.objects = static_cast<std::size_t>(
        std::ranges::count(inventory.items, Garbage::Kind::object,
                           [](StoreItem const& item) { return item.item.kind; }));
    return taken;
}

Status compare(std::string const& folder, int runs, std::vector<std::string> const& blobs) {
    fmt::print("{:>10} {:>10} {:>10} {:>10} {:>12}   runs\n", "border", "median", "processor",
               "objects", "on disk");
    for (unsigned shift = 12; shift <= 20; shift += 2) {
        std::vector<double> seconds;
        std::vector<double> cpu_seconds;
        Taken taken;
        for (int run = 0; run < runs; ++run) {
            std::string const store = fmt::format("{}/{}.{}", folder, shift, run);
            taken = OBLEA_TRY(import_all(store, blobs, std::uint64_t{1} << shift));
            seconds.push_back(taken.seconds);
            cpu_seconds.push_back(taken.cpu_seconds);
            OBLEA_TRY(sys::remove_tree(AT_FDCWD, store.c_str()));
            base::UniqueFd const root = OBLEA_TRY(sys::open(folder, O_RDONLY | O_DIRECTORY));
            OBLEA_TRY(sys::syncfs(root.get()));  // deleting is not the next run's work
        }
        std::string all;
        for (double const one : seconds) {
            all += fmt::format(" {:.2f}", one);
        }
        std::ranges::sort(seconds);
        std::ranges::sort(cpu_seconds);
        fmt::print("{:>7}KiB {:>9.2f}s {:>9.2f}s {:>10} {:>9.1f}MiB  {}\n", 1U << (shift - 10),
                   seconds[seconds.size() / 2], cpu_seconds[cpu_seconds.size() / 2], taken.objects,
                   static_cast<double>(taken.disk_bytes) / 0x1p20, all);
        std::fflush(stdout);
    }
    return {};
}

}  // namespace

int main(int argc, char** argv) {
    if (argc < 4) {
        fmt::print(stderr, "import_threshold FOLDER RUNS BLOB...\n");
        return 2;
    }
    auto const done = compare(argv[1], std::atoi(argv[2]), {argv + 3, argv + argc});
    if (!done.has_value()) {
        fmt::print(stderr, "import_threshold: {}\n", done.error().message());
        return 1;
    }
    return 0;
}
