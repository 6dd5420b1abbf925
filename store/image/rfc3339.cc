// SPDX-License-Identifier: MIT
#include "store/image/rfc3339.h"

#include <charconv>
#include <chrono>
#include <cstdlib>
#include <ctime>
#include <string_view>

namespace oblea::store {

std::string rfc3339(std::int64_t seconds) {
    std::time_t const time{seconds};
    std::tm parts = {};
    ::gmtime_r(&time, &parts);
    std::string text(64, '\0');
    text.resize(std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%SZ", &parts));
    return text;
}

std::int64_t now_seconds() {
    return std::chrono::system_clock::to_time_t(std::chrono::system_clock::now());
}

Result<std::optional<std::int64_t>> source_date_epoch() {
    constexpr std::int64_t kSecondsMax = 253'402'300'799;  // the end of the year 9999
    char const* const value = std::getenv("SOURCE_DATE_EPOCH");
    if (value == nullptr || *value == '\0') {
        return std::optional<std::int64_t>{};
    }
    std::string_view const text{value};
    std::int64_t seconds = 0;
    char const* const end = value + text.size();
    auto const parsed = std::from_chars(value, end, seconds);
    if (parsed.ec != std::errc{} || parsed.ptr != end || seconds < 0 || seconds > kSecondsMax) {
        return fail(Errno::einval, "",
                    "SOURCE_DATE_EPOCH is not a number of seconds: \"" + std::string{text} + '"');
    }
    return std::optional{seconds};
}

}  // namespace oblea::store
