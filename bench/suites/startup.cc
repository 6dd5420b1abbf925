// SPDX-License-Identifier: MIT
#include "bench/suites/suites.h"

#include <algorithm>

namespace oblea::bench {

Status run_startup(Bench& bench) {
    Settings const& settings = bench.settings();
    auto const files = static_cast<unsigned>(
        settings.files != 0 ? settings.files : settings.by_size(40U, 20'000U, 100'000U));
    std::vector<std::uint64_t> const usual =
        settings.by_size<std::vector<std::uint64_t>>({1, 3}, {1, 64}, {1, 64, 500});
    for (std::uint64_t const layers : chosen(settings.layers, usual)) {
        TreeSpec const spec{.layers = static_cast<unsigned>(layers),
                            .files = files,
                            .file_bytes = 16,
                            .files_per_folder = std::max(files / 50, 20U)};
        OBLEA_TRY(bench.run_startup({"startup", "layers", static_cast<double>(layers)}, spec));
    }
    return {};
}

}  // namespace oblea::bench
