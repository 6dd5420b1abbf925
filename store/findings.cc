// SPDX-License-Identifier: MIT
#include "store/findings.h"

#include <algorithm>

namespace oblea::store {

namespace {

constexpr std::uint64_t kToldStep = 8U << 20U;

}  // namespace

void Findings::add(Fault::Kind kind, Fault::State state, std::string path, std::string what,
                   std::optional<Digest> const& digest) {
    base::LockGuard const lock{mutex_};
    faults_.push_back({kind, state, std::move(path), std::move(what), digest, {}, {}, {}});
}

Status Findings::read(std::uint64_t bytes) {
    if (options_.cancel != nullptr && *options_.cancel) {
        return fail(Errno::ecanceled, "", "interrupted");
    }
    base::LockGuard const lock{mutex_};
    bytes_ += bytes;
    if (progress_ && (bytes_ - told_ >= kToldStep || bytes_ >= total_bytes_)) {
        told_ = bytes_;
        progress_({.bytes = std::min(bytes_, total_bytes_), .total_bytes = total_bytes_});
    }
    return {};
}

}  // namespace oblea::store
