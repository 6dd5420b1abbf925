// SPDX-License-Identifier: MIT
// What was measured: samples by work and subject, and the figures made of them. No I/O, no clock.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace oblea::bench {

// One point of one comparison: every subject does the same.
struct Work {
    std::string suite;
    std::string name;       // "existing names, cold"
    std::string parameter;  // what varies between the points of one curve: "layers"; may be empty
    double value = 0;       // of the parameter
    std::string unit = "s";
    std::string reference = "overlayfs";  // the subject that ratios are to

    // Same comparison and same point.
    [[nodiscard]] bool is(Work const& other) const;
    // "32", "64M"
    [[nodiscard]] std::string point() const;
};

struct Figures {
    double median = 0;
    double minimum = 0;
    double maximum = 0;
};

// `samples` must not be empty.
[[nodiscard]] Figures figures_of(std::vector<double> samples);

struct Series {
    Work work;
    std::string subject;
    std::vector<double> samples;  // in the order in which they were taken

    [[nodiscard]] Figures figures() const { return figures_of(samples); }
};

class Results {
public:
    void add(Work const& work, std::string const& subject, double sample);
    // What a reader of the report must know: who was left out, and why. Said once.
    void note(std::string const& text);

    // In the order in which works and subjects came first.
    [[nodiscard]] std::vector<Series> const& series() const { return series_; }
    [[nodiscard]] std::vector<Work> works() const;                 // each once
    [[nodiscard]] std::vector<Series> of(Work const& work) const;  // all subjects
    [[nodiscard]] std::vector<std::string> const& notes() const { return notes_; }
    // Median over the reference's median; nullopt without one.
    [[nodiscard]] std::optional<double> ratio(Series const& series) const;

private:
    std::vector<Series> series_;
    std::vector<std::string> notes_;
};

// "1.24 s", "35 us", "4.1 MiB": three digits.
[[nodiscard]] std::string with_unit(double value, std::string const& unit);
// "0.031", "1.24", "310": as many digits as a ratio is good for.
[[nodiscard]] std::string ratio_text(double ratio);

// "4K", "64M", "1G", "500": bytes or a plain number. nullopt for anything else.
[[nodiscard]] std::optional<std::uint64_t> parse_amount(std::string const& text);

}  // namespace oblea::bench
