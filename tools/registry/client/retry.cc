// SPDX-License-Identifier: MIT
#include "tools/registry/client/retry.h"

#include <algorithm>

namespace oblea::registry {

bool is_transient_status(unsigned status) {
    return status == 408 || status == 429 || status == 500 || status == 502 || status == 503 ||
           status == 504;
}

std::optional<std::chrono::milliseconds> plan_retry(RetryPolicy const& policy,
                                                    unsigned attempts_made,
                                                    std::optional<std::uint64_t> retry_after_s,
                                                    double jitter) {
    using std::chrono::milliseconds;
    auto const patience = static_cast<std::uint64_t>(policy.retry_after_max.count());
    if (attempts_made >= policy.attempts_max || retry_after_s.value_or(0) > patience) {
        return std::nullopt;
    }
    milliseconds delay = policy.first_delay;
    for (unsigned i = 1; i < attempts_made && delay < policy.delay_max; ++i) {
        delay *= 2;
    }
    delay = std::min(delay, policy.delay_max);
    delay -= milliseconds{
        static_cast<milliseconds::rep>(static_cast<double>(delay.count()) / 2 * jitter)};
    auto const asked = std::chrono::seconds{retry_after_s.value_or(0)};
    return std::max(delay, milliseconds{asked});
}

}  // namespace oblea::registry
