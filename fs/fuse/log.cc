// SPDX-License-Identifier: MIT
#include "fs/fuse/log.h"

#include <fmt/core.h>

#include <atomic>
#include <cstdio>
#include <exception>

namespace oblea::fs {
namespace {

constexpr int kLinesMax = 1000;

}  // namespace

void log_failure(Op op, Error const& error) noexcept {
    static std::atomic<int> lines{0};
    int const line = lines.fetch_add(1, std::memory_order_relaxed);
    if (line > kLinesMax) {
        lines.store(kLinesMax + 1, std::memory_order_relaxed);  // no overflow, ever
        return;
    }
    try {
        fmt::print(stderr, "oblea: {}: {}\n", name_of(op), error.message());
        if (line == kLinesMax) {
            fmt::print(stderr, "oblea: further failed requests are not logged\n");
        }
    } catch (std::exception const&) {
        // A log that cannot be written must not fail the request a second time.
        return;
    }
}

}  // namespace oblea::fs
