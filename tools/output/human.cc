// SPDX-License-Identifier: MIT
#include "tools/output/human.h"

#include <fmt/format.h>

#include <array>
#include <charconv>
#include <cmath>
#include <ctime>

namespace oblea::tools {

namespace {

constexpr std::int64_t kMinute = 60;
constexpr std::int64_t kHour = 60 * kMinute;
constexpr std::int64_t kDay = 24 * kHour;

using Units = std::array<char const*, 7>;

std::string size_in(Units const& units, double base, std::uint64_t bytes, int digits) {
    auto size = static_cast<double>(bytes);
    std::size_t unit = 0;
    while (size >= base && unit + 1 < units.size()) {
        size /= base;
        ++unit;
    }
    return fmt::format("{:.{}g}{}", size, digits, units.at(unit));
}

std::string decimal_size(std::uint64_t bytes, int digits) {
    constexpr Units kUnits{"B", "kB", "MB", "GB", "TB", "PB", "EB"};
    return size_in(kUnits, 1000.0, bytes, digits);
}

// The number in text[at, at + digits), which must be all digits.
std::optional<int> number_at(std::string_view text, std::size_t at, std::size_t digits) {
    if (at > text.size() || digits > text.size() - at) {
        return std::nullopt;
    }
    int value = 0;
    for (char const c : text.substr(at, digits)) {
        if (c < '0' || c > '9') {
            return std::nullopt;
        }
        value = value * 10 + (c - '0');
    }
    return value;
}

// "Z", "+01:00": the offset from UTC in seconds.
std::optional<std::int64_t> parse_zone(std::string_view zone) {
    if (zone == "Z" || zone == "z") {
        return 0;
    }
    auto const hours = number_at(zone, 1, 2);
    auto const minutes = number_at(zone, 4, 2);
    if (zone.size() != 6 || zone[3] != ':' || (zone[0] != '+' && zone[0] != '-') || !hours ||
        !minutes || *hours > 23 || *minutes > 59) {
        return std::nullopt;
    }
    std::int64_t const offset = *hours * kHour + *minutes * kMinute;
    return zone[0] == '-' ? -offset : offset;
}

}  // namespace

std::string human_size(std::uint64_t bytes) {
    return decimal_size(bytes, 3);
}

std::string human_size_binary(std::uint64_t bytes) {
    constexpr Units kUnits{"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
    return size_in(kUnits, 1024.0, bytes, 4);
}

std::string human_size_exact(std::uint64_t bytes) {
    return decimal_size(bytes, 4);
}

std::string human_duration(std::int64_t seconds) {
    std::int64_t const minutes = seconds / kMinute;
    auto const hours = static_cast<std::int64_t>(
        std::floor(static_cast<double>(seconds) / static_cast<double>(kHour) + 0.5));
    if (seconds < 1) {
        return "Less than a second";
    }
    if (seconds == 1) {
        return "1 second";
    }
    if (seconds < 60) {
        return fmt::format("{} seconds", seconds);
    }
    if (minutes == 1) {
        return "About a minute";
    }
    if (minutes < 60) {
        return fmt::format("{} minutes", minutes);
    }
    if (hours == 1) {
        return "About an hour";
    }
    if (hours < 48) {
        return fmt::format("{} hours", hours);
    }
    if (hours < std::int64_t{24} * 7 * 2) {
        return fmt::format("{} days", hours / 24);
    }
    if (hours < std::int64_t{24} * 30 * 2) {
        return fmt::format("{} weeks", hours / 24 / 7);
    }
    if (hours < std::int64_t{24} * 365 * 2) {
        return fmt::format("{} months", hours / 24 / 30);
    }
    return fmt::format("{} years", seconds / kHour / 24 / 365);
}

std::string clock_duration(std::int64_t seconds) {
    if (seconds < kHour) {
        return fmt::format("{}:{:02}", seconds / kMinute, seconds % kMinute);
    }
    return fmt::format("{}:{:02}:{:02}", seconds / kHour, seconds % kHour / kMinute,
                       seconds % kMinute);
}

std::optional<std::int64_t> parse_rfc3339(std::string_view text) {
    auto const year = number_at(text, 0, 4);
    auto const month = number_at(text, 5, 2);
    auto const day = number_at(text, 8, 2);
    auto const hour = number_at(text, 11, 2);
    auto const minute = number_at(text, 14, 2);
    auto const second = number_at(text, 17, 2);
    if (!year || !month || !day || !hour || !minute || !second || text[4] != '-' ||
        text[7] != '-' || (text[10] != 'T' && text[10] != 't') || text[13] != ':' ||
        text[16] != ':' || *month < 1 || *month > 12 || *day < 1 || *day > 31 || *hour > 23 ||
        *minute > 59 || *second > 60) {
        return std::nullopt;
    }
    std::size_t zone = 19;
    if (zone < text.size() && text[zone] == '.') {
        zone = text.find_first_not_of("0123456789", zone + 1);
        if (zone == std::string_view::npos || zone == 20) {
            return std::nullopt;
        }
    }
    auto const offset = parse_zone(text.substr(zone));
    if (!offset) {
        return std::nullopt;
    }
    std::tm parts{};
    parts.tm_year = *year - 1900;
    parts.tm_mon = *month - 1;
    parts.tm_mday = *day;
    parts.tm_hour = *hour;
    parts.tm_min = *minute;
    parts.tm_sec = *second;
    return static_cast<std::int64_t>(::timegm(&parts)) - *offset;
}

std::optional<std::tm> local_time(std::int64_t seconds) {
    auto const time = static_cast<std::time_t>(seconds);
    std::tm parts{};
    return ::localtime_r(&time, &parts) == nullptr ? std::nullopt : std::optional{parts};
}

std::string go_time(std::int64_t seconds) {
    auto const parts = local_time(seconds);
    if (!parts.has_value()) {
        return std::to_string(seconds);
    }
    std::array<char, 64> text{};
    return {text.data(),
            std::strftime(text.data(), text.size(), "%Y-%m-%d %H:%M:%S %z %Z", &*parts)};
}

}  // namespace oblea::tools
