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
        unsigned const crowd = settings.by_size(40U, 20'000U, 20'000U);
        Point const point{"walk", "layers", static_cast<double>(layers)};
        auto const list_below = [](std::string const& name) {
            return [=](std::string const& root) { return list(root + name); };
        };
        using enum Step::Cache;
        TreeSpec const spec{.layers = static_cast<unsigned>(layers),
                            .files = files,
                            .file_bytes = 16,
                            .files_per_folder = 25,
                            .crowd = crowd};
        OBLEA_TRY(bench.run_steps(point, spec, Use::reading,
                                  {{"find, caches dropped", cold, walk},
                                   {"find, warm", warm, walk},
                                   {"crowded folder, caches dropped", cold, list_below("/crowd")},
                                   {"crowded folder, warm", warm, list_below("/crowd")}}));
        // Apart, so that find has not two crowds to see.
        TreeSpec const apart{.layers = static_cast<unsigned>(layers), .spread = crowd};
        OBLEA_TRY(bench.run_steps(
            point, apart, Use::reading,
            {{"crowded folder of all layers, caches dropped", cold, list_below("/spread")},
             {"crowded folder of all layers, warm", warm, list_below("/spread")}}));
    }
    return {};
}

}  // namespace oblea::bench
