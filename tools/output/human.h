// SPDX-License-Identifier: MIT
// Sizes, ages and times as docker writes them.
//
// Pure, but for the time zone of local times. Spec: docker's go-units (HumanSizeWithPrecision,
// HumanDuration); Go's time.Time.String; RFC 3339.
#pragma once
#include <cstdint>
#include <ctime>
#include <optional>
#include <string>
#include <string_view>

namespace oblea::tools {

// Base 1000 with three digits ("72.9MB", "0B", "1.09GB"): sizes in tables.
[[nodiscard]] std::string human_size(std::uint64_t bytes);
// Base 1024 with four digits ("1.953MiB"): memory.
[[nodiscard]] std::string human_size_binary(std::uint64_t bytes);
// As human_size() with four digits ("2.746MB"): progress and totals.
[[nodiscard]] std::string human_size_exact(std::uint64_t bytes);

// "Less than a second", "About a minute", "3 weeks".
[[nodiscard]] std::string human_duration(std::int64_t seconds);

// "1:05", "2:03:20": what is left of a transfer.
[[nodiscard]] std::string clock_duration(std::int64_t seconds);

// Seconds since 1970; fractions are dropped. Nothing for what is no RFC 3339 time.
[[nodiscard]] std::optional<std::int64_t> parse_rfc3339(std::string_view text);

// Nothing for a time beyond all years.
[[nodiscard]] std::optional<std::tm> local_time(std::int64_t seconds);

// "2021-03-04 03:24:42 +0100 CET", in the local time zone.
[[nodiscard]] std::string go_time(std::int64_t seconds);

}  // namespace oblea::tools
