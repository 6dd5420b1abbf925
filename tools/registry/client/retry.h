// SPDX-License-Identifier: MIT
// Whether a request that failed is worth another try, and when.
//
// Pure; the jitter comes from outside.
#pragma once
#include <chrono>
#include <cstdint>
#include <optional>

namespace oblea::registry {

// A connection that brought this much before it was cut counts as a good one.
inline constexpr std::uint64_t kProgressBytes = 1U << 20U;

struct RetryPolicy {
    unsigned attempts_max = 5;
    std::chrono::milliseconds first_delay{500};
    std::chrono::milliseconds delay_max{15'000};
    // A server that asks for more patience than this is not waited for.
    std::chrono::seconds retry_after_max{60};
};

// Statuses after which the same request may succeed: too many requests, and servers in trouble.
[[nodiscard]] bool is_transient_status(unsigned status);

// How long to wait before attempt `attempts_made` + 1; nothing when there shall be none. Doubles
// from try to try; `jitter` in [0, 1) takes away up to half, so that many clients do not come back
// at once. What the server asked for (Retry-After) is the least.
[[nodiscard]] std::optional<std::chrono::milliseconds>
plan_retry(RetryPolicy const& policy, unsigned attempts_made,
           std::optional<std::uint64_t> retry_after_s, double jitter);

}  // namespace oblea::registry
