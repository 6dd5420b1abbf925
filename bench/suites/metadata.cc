// SPDX-License-Identifier: MIT
#include "bench/file_work.h"
#include "bench/suites/suites.h"
#include "store/base/sys.h"

#include <fmt/core.h>

namespace oblea::bench {
namespace {

namespace sys = base::sys;

Paths numbered(char const* prefix, unsigned count) {
    Paths paths;
    for (unsigned i = 0; i < count; ++i) {
        paths.push_back(fmt::format("new/{}-{:06}", prefix, i));
    }
    return paths;
}

Status make_new(std::string const& root) {
    return sys::mkdirat_if_missing(AT_FDCWD, (root + "/new").c_str(), 0755);
}

Status move_folder(std::string const& root) {
    return run({"mv", root + "/folder-0000", root + "/moved"});
}

Status remove_folder(std::string const& root) {
    return sys::remove_tree(AT_FDCWD, (root + "/folder-0001").c_str());
}

}  // namespace

Status run_metadata(Bench& bench) {
    Settings const& settings = bench.settings();
    unsigned const count = settings.by_size(20U, 2'000U, 5'000U);
    unsigned const lower = settings.by_size(10U, 1'000U, 1'000U);
    constexpr std::uint64_t kMiB = std::uint64_t{1} << 20U;
    std::uint64_t const bytes = settings.by_size(kMiB, 128 * kMiB, 512 * kMiB);
    TreeSpec const spec{
        .layers = 4, .files = 2 * lower, .file_bytes = 100, .files_per_folder = lower};
    Paths const made = numbered("made", count);
    Paths const renamed = numbered("renamed", count);
    using enum Step::Cache;
    return bench.run_steps(
        {"metadata", "", 0}, spec, Use::changing,
        {{"create small files", as_is,
          [&](std::string const& root) { return create_all(root, made); }, make_new},
         {"stat of files just made", as_is,
          [&](std::string const& root) { return stat_all(root, made); }},
         {"rename", as_is,
          [&](std::string const& root) { return rename_all(root, made, renamed); }},
         {"unlink", as_is, [&](std::string const& root) { return unlink_all(root, renamed); }},
         {"write in large pieces", as_is,
          [=](std::string const& root) {
              return write_file(root + "/new/large", {.bytes = bytes, .piece_bytes = kMiB});
          }},
         {"write in pieces of 4 KiB", as_is,
          [=](std::string const& root) {
              return write_file(root + "/new/small", {.bytes = bytes / 4, .piece_bytes = 4096});
          }},
         {"write and fsync", as_is,
          [=](std::string const& root) {
              return write_file(root + "/new/synced",
                                {.bytes = bytes / 4, .piece_bytes = kMiB, .sync = Sync::yes});
          }},
         {"read what was just written", as_is,
          [](std::string const& root) { return read_file(root + "/new/large"); }},
         {"mv of a folder of the image", as_is, move_folder},
         {"rm -rf of a folder of the image", as_is, remove_folder}});
}

}  // namespace oblea::bench
