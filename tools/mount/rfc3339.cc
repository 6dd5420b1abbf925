// SPDX-License-Identifier: MIT
#include "tools/mount/rfc3339.h"

#include <fmt/format.h>

#include <array>
#include <ctime>
#include <string_view>

namespace oblea::tools {

std::string rfc3339_now() {
    std::time_t const now = std::time(nullptr);
    std::tm utc{};
    ::gmtime_r(&now, &utc);
    std::array<char, 32> text{};
    std::size_t const size = std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%SZ", &utc);
    return {text.data(), size};
}

std::string rfc3339_now_exact() {
    timespec now{};
    ::clock_gettime(CLOCK_REALTIME, &now);
    std::tm utc{};
    ::gmtime_r(&now.tv_sec, &utc);
    std::array<char, 32> text{};
    std::size_t const size = std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%S", &utc);
    return fmt::format("{}.{:09}Z", std::string_view{text.data(), size}, now.tv_nsec);
}

}  // namespace oblea::tools
