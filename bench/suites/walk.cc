// SPDX-License-Identifier: MIT
#include "bench/file_work.h"
#include "bench/suites/suites.h"

namespace oblea::bench {

Status run_walk(Bench& bench) {
    Settings const& settings = bench.settings();
    auto const files = static_cast<unsigned>(
        settings.files != 0 ? settings.files : settings.by_size(40U, 5'000U, 50'000U));
    std::vector<std::uint64_t> const usual =
        settings.by_size<std::vector<std::uint64_t>>({3}, {12}, {1, 12, 64});
    for (std::uint64_t const layers : chosen(settings.layers, usual)) {
        TreeSpec const spec{.layers = static_cast<unsigned>(layers),
                            .files = files,
                            .file_bytes = 16,
                            .files_per_folder = 25,
                            .crowd = settings.by_size(40U, 20'000U, 20'000U)};
        auto const crowd = [](std::string const& root) { return list(root + "/crowd"); };
        OBLEA_TRY(bench.run_steps({"walk", "layers", static_cast<double>(layers)}, spec,
                                  Use::reading,
                                  {{"find, caches dropped", Step::Cache::cold, walk},
                                   {"find, warm", Step::Cache::warm, walk},
                                   {"crowded folder, caches dropped", Step::Cache::cold, crowd},
                                   {"crowded folder, warm", Step::Cache::warm, crowd}}));
    }
    return {};
}

}  // namespace oblea::bench
