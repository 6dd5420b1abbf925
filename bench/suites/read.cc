// SPDX-License-Identifier: MIT
#include "bench/file_work.h"
#include "bench/suites/suites.h"

namespace oblea::bench {

Status run_read(Bench& bench) {
    Settings const& settings = bench.settings();
    constexpr std::uint64_t kMiB = std::uint64_t{1} << 20U;
    auto const files = static_cast<unsigned>(
        settings.files != 0 ? settings.files : settings.by_size(40U, 5'000U, 20'000U));
    TreeSpec const spec{
        .layers = 4,
        .files = files,
        .file_bytes = 4096,
        .files_per_folder = 100,
        .large = {{.name = "large", .bytes = settings.by_size(4 * kMiB, 256 * kMiB, 1024 * kMiB)}}};
    Paths const names = some_files(spec, files);
    unsigned const reads = settings.by_size(100U, 16'000U, 32'000U);
    auto const small = [&](std::string const& root) { return read_all(root, names); };
    auto const large = [](std::string const& root) { return read_file(root + "/large"); };
    auto const mapped = [](std::string const& root) { return read_mapped(root + "/large"); };
    auto const random = [&](std::string const& root) {
        return read_randomly(root + "/large", reads);
    };
    using enum Step::Cache;
    return bench.run_steps({"read", "", 0}, spec, Use::reading,
                           {{"small files, caches dropped", cold, small},
                            {"small files, warm", warm, small},
                            {"large file in sequence, caches dropped", cold, large},
                            {"large file in sequence, warm", warm, large},
                            {"large file at random, caches dropped", cold, random},
                            {"large file at random, warm", warm, random},
                            {"large file mapped, warm", warm, mapped}});
}

}  // namespace oblea::bench
