// SPDX-License-Identifier: MIT
// Points in time as image documents write them.
#pragma once
#include "store/base/error.h"

#include <cstdint>
#include <optional>
#include <string>

namespace oblea::store {

// "2026-01-31T12:00:00Z", of seconds since 1970.
std::string rfc3339(std::int64_t seconds);

std::int64_t now_seconds();

// SOURCE_DATE_EPOCH, nullopt when it is not set. Errors: EINVAL when it is not a number of seconds.
// Spec: reproducible-builds.org "SOURCE_DATE_EPOCH specification".
Result<std::optional<std::int64_t>> source_date_epoch();

}  // namespace oblea::store
