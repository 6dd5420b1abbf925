// SPDX-License-Identifier: MIT
#include "store/sync.h"

#include "store/base/sys.h"

#include <algorithm>
#include <atomic>
#include <charconv>
#include <cstdlib>
#include <mutex>
#include <optional>
#include <string_view>
#include <thread>

namespace oblea::store {

namespace sys = base::sys;
using base::UniqueFd;

namespace {

constexpr std::size_t kFewFiles = 12;
constexpr std::uint64_t kForeignBytesMax = 256U << 20U;
constexpr unsigned kThreads = 8;  // waiting, not working

// The line "Dirty: N kB" of /proc/meminfo; where it cannot be read nothing is known to wait.
std::uint64_t waiting_bytes() {
    constexpr std::size_t kMeminfoBytesMax = 64U << 10U;
    auto const text = sys::read_file(AT_FDCWD, "/proc/meminfo", kMeminfoBytesMax);
    if (!text.has_value()) {
        return 0;
    }
    std::string_view rest = *text;
    constexpr std::string_view kLabel = "\nDirty:";
    auto const at = rest.find(kLabel);
    if (at == std::string_view::npos) {
        return 0;
    }
    rest.remove_prefix(at + kLabel.size());
    rest.remove_prefix(std::min(rest.find_first_not_of(' '), rest.size()));
    std::uint64_t kilobytes = 0;
    std::from_chars(rest.data(), rest.data() + rest.size(), kilobytes);
    return kilobytes * 1024;
}

Status sync_one(int root, std::string const& path) {
    auto const done = [&]() -> Status {
        UniqueFd const file = OBLEA_TRY(sys::openat(root, path.c_str(), O_RDONLY | O_NOFOLLOW));
        return sys::fsync(file.get());
    }();
    return with_context(done, [&] { return path; });
}

// The first sync of a journalling file system takes the metadata of all files along; the others
// then have little to wait for, and waiting side by side hides what is left.
Status sync_each(int root, std::vector<std::string> const& paths, unsigned threads) {
    std::atomic<std::size_t> next{0};
    std::mutex mutex;
    std::optional<Error> failure;
    auto const work = [&] {
        for (std::size_t i = next++; i < paths.size(); i = next++) {
            auto synced = sync_one(root, paths[i]);
            if (!synced.has_value()) {
                std::lock_guard const lock{mutex};
                failure = std::move(synced).error();
                next = paths.size();
            }
        }
    };
    {
        std::vector<std::jthread> helpers;
        std::size_t const count = std::min<std::size_t>(threads, paths.size());
        for (std::size_t i = 1; i < count; ++i) {
            helpers.emplace_back(work);
        }
        work();
    }
    if (failure.has_value()) {
        return std::unexpected<Error>(*std::move(failure));
    }
    return {};
}

Result<std::uint64_t> bytes_in(int root, std::vector<std::string> const& paths) {
    std::uint64_t bytes = 0;
    for (std::string const& path : paths) {
        auto const info =
            OBLEA_TRY(with_context(sys::fstatat(root, path.c_str()), [&] { return path; }));
        bytes += static_cast<std::uint64_t>(info.st_size);
    }
    return bytes;
}

}  // namespace

SyncBy decide_sync(SyncLoad const& load) {
    std::uint64_t const foreign = load.waiting_bytes - std::min(load.waiting_bytes, load.own_bytes);
    bool const mostly_foreign = foreign > kForeignBytesMax && foreign / 2 > load.own_bytes;
    return load.files <= kFewFiles || mostly_foreign ? SyncBy::each_file
                                                     : SyncBy::whole_file_system;
}

Status sync_paths(int root, std::vector<std::string> const& paths, unsigned threads) {
    SyncLoad load{.files = paths.size()};
    if (decide_sync(load) == SyncBy::whole_file_system) {
        load.own_bytes = OBLEA_TRY(bytes_in(root, paths));
        // With one thread the same calls are wanted each time, whatever else the machine does.
        load.waiting_bytes = threads == 1 ? 0 : waiting_bytes();
        if (decide_sync(load) == SyncBy::whole_file_system) {
            return with_context(sys::syncfs(root), [] { return "the store's file system"; });
        }
    }
    return sync_each(root, paths, threads);
}

unsigned sync_threads() {
    char const* const threads = std::getenv("OBLEA_THREADS");
    return threads != nullptr && std::string_view{threads} == "1" ? 1 : kThreads;
}

}  // namespace oblea::store
