// SPDX-License-Identifier: MIT
#include "tools/mount/rfc3339.h"

#include <array>
#include <ctime>

namespace oblea::tools {

std::string rfc3339_now() {
    std::time_t const now = std::time(nullptr);
    std::tm utc{};
    ::gmtime_r(&now, &utc);
    std::array<char, 32> text{};
    std::size_t const size = std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%SZ", &utc);
    return {text.data(), size};
}

}  // namespace oblea::tools
