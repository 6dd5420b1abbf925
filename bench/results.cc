// SPDX-License-Identifier: MIT
#include "bench/results.h"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <iterator>
#include <utility>

namespace oblea::bench {
namespace {

constexpr std::array<std::pair<char, std::uint64_t>, 3> kSuffixes{{{'K', std::uint64_t{1} << 10U},
                                                                   {'M', std::uint64_t{1} << 20U},
                                                                   {'G', std::uint64_t{1} << 30U}}};

struct Scale {
    double from;
    char const* unit;
};
constexpr std::array<Scale, 3> kTimes{{{1, "s"}, {1e-3, "ms"}, {1e-6, "us"}}};
constexpr std::array<Scale, 4> kBytes{
    {{1073741824.0, "GiB"}, {1048576.0, "MiB"}, {1024.0, "KiB"}, {1, "B"}}};

template <std::size_t N>
std::string scaled(double value, std::array<Scale, N> const& scales) {
    for (Scale const& scale : scales) {
        if (value >= scale.from || &scale == &scales.back()) {
            return fmt::format("{:.3g} {}", value / scale.from, scale.unit);
        }
    }
    return {};
}

}  // namespace

bool Work::is(Work const& other) const {
    return suite == other.suite && name == other.name && parameter == other.parameter &&
           value == other.value && unit == other.unit;
}

std::string Work::point() const {
    if (parameter.empty()) {
        return "";
    }
    auto const whole = static_cast<std::uint64_t>(value);
    if (parameter == "size") {
        for (auto const& [suffix, factor] : {kSuffixes[2], kSuffixes[1], kSuffixes[0]}) {
            if (whole >= factor && whole % factor == 0) {
                return fmt::format("{}{}", whole / factor, suffix);
            }
        }
    }
    return std::to_string(whole);
}

Figures figures_of(std::vector<double> samples) {
    std::ranges::sort(samples);
    std::size_t const middle = samples.size() / 2;
    double const median =
        samples.size() % 2 == 1 ? samples[middle] : (samples[middle - 1] + samples[middle]) / 2;
    return {.median = median, .minimum = samples.front(), .maximum = samples.back()};
}

void Results::add(Work const& work, std::string const& subject, double sample) {
    auto const at = std::ranges::find_if(
        series_, [&](Series const& one) { return one.subject == subject && one.work.is(work); });
    if (at != series_.end()) {
        at->samples.push_back(sample);
        return;
    }
    series_.push_back({.work = work, .subject = subject, .samples = {sample}});
}

std::vector<Work> Results::works() const {
    std::vector<Work> works;
    for (Series const& series : series_) {
        if (std::ranges::none_of(works, [&](Work const& one) { return one.is(series.work); })) {
            works.push_back(series.work);
        }
    }
    return works;
}

std::vector<Series> Results::of(Work const& work) const {
    std::vector<Series> found;
    std::ranges::copy_if(series_, std::back_inserter(found),
                         [&](Series const& one) { return one.work.is(work); });
    return found;
}

void Results::note(std::string const& text) {
    if (std::ranges::find(notes_, text) == notes_.end()) {
        notes_.push_back(text);
    }
}

std::optional<double> Results::ratio(Series const& series) const {
    auto const reference = std::ranges::find_if(series_, [&](Series const& one) {
        return one.subject == series.work.reference && one.work.is(series.work);
    });
    if (reference == series_.end() || reference->figures().median <= 0) {
        return std::nullopt;
    }
    return series.figures().median / reference->figures().median;
}

std::string with_unit(double value, std::string const& unit) {
    if (unit == "s") {
        return scaled(value, kTimes);
    }
    return unit == "B" ? scaled(value, kBytes) : fmt::format("{:.4g} {}", value, unit);
}

std::string ratio_text(double ratio) {
    int const digits = ratio < 0.1 ? 4 : ratio < 1 ? 3 : ratio < 10 ? 2 : 0;
    return fmt::format("{:.{}f}", ratio, digits);
}

std::optional<std::uint64_t> parse_amount(std::string const& text) {
    std::uint64_t number = 0;
    char const* const end = text.data() + text.size();
    auto const [rest, code] = std::from_chars(text.data(), end, number);
    if (code != std::errc{}) {
        return std::nullopt;
    }
    if (rest == end) {
        return number;
    }
    auto const suffix = std::ranges::find(kSuffixes, *rest, &std::pair<char, std::uint64_t>::first);
    if (rest + 1 != end || suffix == kSuffixes.end() || number > (UINT64_MAX / suffix->second)) {
        return std::nullopt;
    }
    return number * suffix->second;
}

}  // namespace oblea::bench
