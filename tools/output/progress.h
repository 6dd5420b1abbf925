// SPDX-License-Identifier: MIT
// Progress of layers: live lines on a terminal, a line per event in a log, or nothing.
//
// What is shown is decided by pure functions; a Progress only writes. Calls come one at a time,
// from any thread.
#pragma once
#include "store/image/import_image.h"

#include <chrono>
#include <cstdio>
#include <memory>
#include <string>
#include <vector>

namespace oblea::tools {

struct Screen {
    std::size_t columns = 80;
    std::size_t rows = 24;
};

// Bytes per second over the last seconds: old measurements fade, so that a stall is seen.
class RateMeter {
public:
    void add(double now_seconds, std::uint64_t total_bytes);
    [[nodiscard]] double bytes_per_second() const { return rate_; }

private:
    double last_seconds_ = -1;
    std::uint64_t last_bytes_ = 0;
    double rate_ = 0;
};

// One line, at most `columns` wide: id, bar, bytes, rate and what is left, as far as there is room.
[[nodiscard]] std::string progress_line(store::ImportProgress::Layer const& layer,
                                        double bytes_per_second, std::size_t columns);

// All layers that are not there already as if they were one, called "total".
[[nodiscard]] store::ImportProgress::Layer total_of(store::ImportProgress const& progress);

// In bytes per second.
struct Rates {
    std::vector<double> layers;
    double total = 0;
};

// The block for a terminal: a line for each layer, and where several are to come one for the total;
// where they are more than the screen has rows, those that are being read, and one line that counts
// the others.
[[nodiscard]] std::vector<std::string> progress_block(store::ImportProgress const& progress,
                                                      Rates const& rates, Screen screen);

// What a log gets when `before` has become `after`: a line for each layer that began or ended.
[[nodiscard]] std::vector<std::string> progress_events(store::ImportProgress const& before,
                                                       store::ImportProgress const& after);

// The same in JSON, with the words of docker's API: one object a line.
[[nodiscard]] std::vector<std::string> progress_json(store::ImportProgress const& before,
                                                     store::ImportProgress const& after);

// A text for people as such an object.
[[nodiscard]] std::string status_json(std::string const& status);

class Progress {
public:
    using Clock = std::chrono::steady_clock;
    Progress() = default;
    Progress(Progress const&) = delete;
    Progress& operator=(Progress const&) = delete;
    virtual ~Progress() = default;  // takes live lines off the screen, however the work ended
    virtual void update(store::ImportProgress const& progress, Clock::time_point now) = 0;
};

// json: plain ones as JSON.
enum class ProgressMode { automatic, tty, plain, json, none };

// Live lines go to standard error, so that results can be piped away from them; plain ones are
// results themselves and go to standard output, so that standard error has nothing but trouble.
struct ProgressStreams {
    std::FILE* live = stderr;
    std::FILE* plain = stdout;
};

// Automatic: live lines where their stream is a terminal that can move its cursor and has a width,
// plain ones elsewhere.
[[nodiscard]] std::unique_ptr<Progress> make_progress(ProgressMode mode, ProgressStreams streams);

}  // namespace oblea::tools
