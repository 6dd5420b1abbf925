// SPDX-License-Identifier: MIT
#include "bench/file_work.h"
#include "bench/suites/suites.h"

#include <fmt/core.h>

#include <algorithm>

namespace oblea::bench {
namespace {

constexpr unsigned kLookups = 20'000;

Paths missing_names(TreeSpec const& spec) {
    Paths paths;
    for (unsigned const number : sample(spec.files, kLookups)) {
        paths.push_back(
            fmt::format("{}/none-{:07}", spec.folder(number / spec.files_per_folder), number));
    }
    return paths;
}

}  // namespace

Status run_lookup(Bench& bench) {
    Settings const& settings = bench.settings();
    auto const files = static_cast<unsigned>(
        settings.files != 0 ? settings.files : settings.by_size(40U, 5'000U, 100'000U));
    std::vector<std::uint64_t> const usual =
        settings.by_size<std::vector<std::uint64_t>>({1, 3}, {1, 32, 128}, {1, 8, 32, 128, 500});
    for (std::uint64_t const layers : chosen(settings.layers, usual)) {
        // Fifty folders at most: each of them is there once for each layer.
        TreeSpec const spec{.layers = static_cast<unsigned>(layers),
                            .files = files,
                            .file_bytes = 16,
                            .files_per_folder = std::max(files / 50, 20U)};
        Paths const existing = some_files(spec, kLookups);
        Paths const missing = missing_names(spec);
        auto const find = [&](std::string const& root) { return stat_all(root, existing); };
        auto const miss = [&](std::string const& root) { return stat_missing(root, missing); };
        OBLEA_TRY(bench.run_steps({"lookup", "layers", static_cast<double>(layers)}, spec,
                                  Use::reading,
                                  {{"existing names, cold", Step::Cache::cold, find},
                                   {"existing names, warm", Step::Cache::as_is, find},
                                   {"missing names, first", Step::Cache::cold, miss},
                                   {"missing names, again", Step::Cache::as_is, miss}}));
    }
    return {};
}

}  // namespace oblea::bench
