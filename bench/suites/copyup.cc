// SPDX-License-Identifier: MIT
#include "bench/file_work.h"
#include "bench/suites/suites.h"

#include <algorithm>

namespace oblea::bench {
namespace {

// The first change of a file by its size; one file for each kind of step.
Status first_writes(Bench& bench, std::uint64_t size) {
    Settings const& settings = bench.settings();
    TreeSpec const spec{.layers = 2,
                        .large = {{"cold", size}, {"warm", size}, {"mode", size}, {"cut", size}}};
    std::uint64_t const touch = std::min(settings.touch_bytes, size);
    using enum Step::Cache;
    return bench.run_steps(
        {"copyup", "size", static_cast<double>(size)}, spec, Use::changing,
        {{"first bytes of a file written, caches dropped", cold,
          [=](std::string const& root) { return touch_bytes(root + "/cold", touch); }},
         {"first bytes of a file written, warm", as_is,
          [=](std::string const& root) { return touch_bytes(root + "/warm", touch); },
          [](std::string const& root) { return read_file(root + "/warm"); }},
         {"chmod", as_is, [](std::string const& root) { return chmod_all(root, {"mode"}); }},
         {"emptied by O_TRUNC, written again", as_is, [=](std::string const& root) {
              return write_file(root + "/cut", {.bytes = std::min(size, std::uint64_t{64} << 20U),
                                                .piece_bytes = 4096});
          }}});
}

Status many_small(Bench& bench) {
    unsigned const count = bench.settings().by_size(20U, 1'000U, 5'000U);
    TreeSpec const spec{
        .layers = 2, .files = 2 * count, .file_bytes = 4096, .files_per_folder = 100};
    Paths const all = some_files(spec, 2 * count);
    Paths const one(all.begin(), all.begin() + count);
    Paths const other(all.begin() + count, all.end());
    return bench.run_steps({"copyup", "", 0}, spec, Use::changing,
                           {{"chmod of small files", Step::Cache::as_is,
                             [&](std::string const& root) { return chmod_all(root, one); }},
                            {"append to small files", Step::Cache::as_is,
                             [&](std::string const& root) { return append_all(root, other); }}});
}

}  // namespace

Status run_copyup(Bench& bench) {
    Settings const& settings = bench.settings();
    constexpr std::uint64_t kKiB = 1024;
    constexpr std::uint64_t kMiB = kKiB * 1024;
    std::vector<std::uint64_t> const usual = settings.by_size<std::vector<std::uint64_t>>(
        {4 * kKiB}, {4 * kKiB, kMiB, 64 * kMiB}, {4 * kKiB, kMiB, 64 * kMiB, 1024 * kMiB});
    for (std::uint64_t const size : chosen(settings.sizes, usual)) {
        OBLEA_TRY(first_writes(bench, size));
    }
    return many_small(bench);
}

}  // namespace oblea::bench
