// SPDX-License-Identifier: MIT
#include "tools/output/progress.h"

#include "tools/output/human.h"
#include "tools/output/plain_text.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <optional>
#include <string_view>

namespace oblea::tools {

using Layer = store::ImportProgress::Layer;
using State = store::ImportProgress::State;

namespace {

constexpr double kRateMemorySeconds = 3.0;
constexpr std::size_t kBarCellsMax = 50;
constexpr std::size_t kBarCellsMin = 10;
constexpr std::size_t kEtaColumnsMin = 50;
constexpr std::size_t kLiveColumnsMin = 20;
constexpr std::size_t kIdColumns = 12;

std::string bar(std::uint64_t bytes, std::uint64_t total, std::size_t cells) {
    double const share = std::min(1.0, static_cast<double>(bytes) /
                                           static_cast<double>(std::max<std::uint64_t>(total, 1)));
    auto const filled = static_cast<std::size_t>(share * static_cast<double>(cells));
    std::string text(filled, '=');
    if (filled < cells) {
        text += '>' + std::string(cells - filled - 1, ' ');
    }
    return '[' + text + ']';
}

// "3.062MB/58.4MB  12.3MB/s  0:04"
std::string figures(Layer const& layer, double rate, std::size_t columns) {
    std::string text = human_size_exact(layer.bytes);
    if (layer.total_bytes != 0) {
        text += '/' + human_size(layer.total_bytes);
    }
    if (columns <= kEtaColumnsMin || rate < 1) {
        return text;
    }
    text += fmt::format("  {}/s", human_size(static_cast<std::uint64_t>(rate)));
    if (layer.total_bytes > layer.bytes) {
        double const left = static_cast<double>(layer.total_bytes - layer.bytes) / rate;
        text += "  " + clock_duration(static_cast<std::int64_t>(std::ceil(left)));
    }
    return text;
}

char const* word_of(State state) {
    switch (state) {
    case State::waiting:
        return "waiting";
    case State::reading:
        return "reading";
    case State::done:
        return "done";
    case State::already_there:
        return "already there";
    }
    return "";
}

std::size_t count(store::ImportProgress const& progress, State state) {
    return static_cast<std::size_t>(std::ranges::count(progress.layers, state, &Layer::state));
}

// The line for the layers that the screen has no room for.
std::string summary_line(store::ImportProgress const& progress) {
    return fmt::format("{} layers: {} done, {} already there, {} waiting", progress.layers.size(),
                       count(progress, State::done), count(progress, State::already_there),
                       count(progress, State::waiting));
}

std::optional<Screen> screen_of(std::FILE* stream) {
    struct winsize size{};
    int const fd = ::fileno(stream);
    char const* const terminal = std::getenv("TERM");
    if (fd < 0 || ::isatty(fd) == 0 || ::ioctl(fd, TIOCGWINSZ, &size) != 0 ||
        size.ws_col < kLiveColumnsMin || terminal == nullptr ||
        std::string_view{terminal} == "dumb") {
        return std::nullopt;
    }
    return Screen{.columns = size.ws_col, .rows = std::max<std::size_t>(size.ws_row, 4)};
}

class NoProgress final : public Progress {
public:
    void update(store::ImportProgress const& /*progress*/, Clock::time_point /*now*/) override {}
};

class PlainProgress final : public Progress {
public:
    using Encode = std::vector<std::string> (*)(store::ImportProgress const& before,
                                                store::ImportProgress const& after);
    PlainProgress(std::FILE* stream, Encode encode) : stream_(stream), encode_(encode) {}
    void update(store::ImportProgress const& progress, Clock::time_point /*now*/) override {
        for (auto const& line : encode_(shown_, progress)) {
            std::fputs((line + '\n').c_str(), stream_);
        }
        std::fflush(stream_);
        shown_ = progress;
    }

private:
    std::FILE* stream_;
    Encode encode_;
    store::ImportProgress shown_;
};

class TerminalProgress final : public Progress {
public:
    explicit TerminalProgress(std::FILE* stream) : stream_(stream) {}
    ~TerminalProgress() override {
        if (lines_ != 0) {
            write(fmt::format("\x1b[{}A\r\x1b[J", lines_));
        }
    }

    void update(store::ImportProgress const& progress, Clock::time_point now) override {
        double const seconds = std::chrono::duration<double>(now.time_since_epoch()).count();
        meters_.resize(progress.layers.size());
        Rates rates;
        rates.layers.reserve(meters_.size());
        for (std::size_t i = 0; i < meters_.size(); ++i) {
            meters_[i].add(seconds, progress.layers[i].bytes);
            rates.layers.push_back(meters_[i].bytes_per_second());
        }
        total_meter_.add(seconds, total_of(progress).bytes);
        rates.total = total_meter_.bytes_per_second();
        auto const block = progress_block(progress, rates, screen_of(stream_).value_or(Screen{}));
        std::string text;
        if (lines_ != 0) {
            text += fmt::format("\x1b[{}A", lines_);
        }
        for (auto const& line : block) {
            text += "\r\x1b[2K" + line + '\n';
        }
        text += "\x1b[J";
        lines_ = block.size();
        write(text);
    }

private:
    void write(std::string const& text) {
        std::fputs(text.c_str(), stream_);
        std::fflush(stream_);
    }

    std::FILE* stream_;
    std::size_t lines_ = 0;  // on the screen, above the cursor
    std::vector<RateMeter> meters_;
    RateMeter total_meter_;
};

}  // namespace

void RateMeter::add(double now_seconds, std::uint64_t total_bytes) {
    if (last_seconds_ >= 0 && now_seconds > last_seconds_ && total_bytes >= last_bytes_) {
        double const seconds = now_seconds - last_seconds_;
        double const measured = static_cast<double>(total_bytes - last_bytes_) / seconds;
        double const keep = std::exp(-seconds / kRateMemorySeconds);
        rate_ = rate_ == 0 ? measured : rate_ * keep + measured * (1 - keep);
    }
    last_seconds_ = now_seconds;
    last_bytes_ = total_bytes;
}

std::string progress_line(Layer const& layer, double bytes_per_second, std::size_t columns) {
    std::string const id = cut_to_width(one_line(layer.id), kIdColumns);
    std::string const left = id + std::string(kIdColumns - display_width(id), ' ') + "  ";
    if (layer.state != State::reading) {
        return cut_to_width(left + word_of(layer.state), columns);
    }
    std::string const right = figures(layer, bytes_per_second, columns);
    std::size_t const taken = display_width(left) + display_width(right) + 4;  // "[", "]  "
    if (layer.total_bytes == 0 || taken + kBarCellsMin > columns) {
        return cut_to_width(left + right, columns);
    }
    std::size_t const cells = std::min(kBarCellsMax, columns - taken);
    return left + bar(layer.bytes, layer.total_bytes, cells) + "  " + right;
}

Layer total_of(store::ImportProgress const& progress) {
    Layer total{.id = "total", .state = State::reading, .bytes = 0, .total_bytes = 0};
    bool known = true;
    for (auto const& layer : progress.layers) {
        if (layer.state == State::already_there) {
            continue;
        }
        std::uint64_t const all = std::max(layer.total_bytes, layer.bytes);
        total.bytes += layer.state == State::done ? all : layer.bytes;
        total.total_bytes += all;
        known = known && (layer.total_bytes != 0 || layer.state == State::done);
    }
    if (!known) {
        total.total_bytes = 0;  // no end is foretold that is not known
    }
    return total;
}

std::vector<std::string> progress_block(store::ImportProgress const& progress, Rates const& rates,
                                        Screen screen) {
    // The cursor needs a row of its own, and a full last column would wrap.
    std::size_t const columns = screen.columns - 1;
    bool const several =
        progress.layers.size() > count(progress, State::already_there) + 1 && screen.rows > 4;
    std::size_t const rows = screen.rows - (several ? 2 : 1);
    bool const all_fit = progress.layers.size() <= rows;
    std::vector<std::string> lines;
    for (std::size_t i = 0; i < progress.layers.size(); ++i) {
        Layer const& layer = progress.layers[i];
        if (all_fit || (layer.state == State::reading && lines.size() + 1 < rows)) {
            lines.push_back(
                progress_line(layer, i < rates.layers.size() ? rates.layers[i] : 0, columns));
        }
    }
    if (!all_fit) {
        lines.push_back(cut_to_width(summary_line(progress), columns));
    }
    if (several) {
        lines.push_back(progress_line(total_of(progress), rates.total, columns));
    }
    return lines;
}

namespace {

// The layers that have come to another state.
std::vector<Layer> changed_layers(store::ImportProgress const& before,
                                  store::ImportProgress const& after) {
    std::vector<Layer> changed;
    for (std::size_t i = 0; i < after.layers.size(); ++i) {
        State const was = i < before.layers.size() ? before.layers[i].state : State::waiting;
        if (after.layers[i].state != was) {
            changed.push_back(after.layers[i]);
        }
    }
    return changed;
}

}  // namespace

std::vector<std::string> progress_events(store::ImportProgress const& before,
                                         store::ImportProgress const& after) {
    std::vector<std::string> lines;
    for (auto const& layer : changed_layers(before, after)) {
        std::string line = one_line(layer.id) + ": " + word_of(layer.state);
        if (layer.state == State::reading && layer.total_bytes != 0) {
            line += " " + human_size(layer.total_bytes);
        } else if (layer.state == State::done && layer.bytes != 0) {
            line += ", " + human_size(layer.bytes);
        }
        lines.push_back(std::move(line));
    }
    return lines;
}

std::vector<std::string> progress_json(store::ImportProgress const& before,
                                       store::ImportProgress const& after) {
    std::vector<std::string> lines;
    for (auto const& layer : changed_layers(before, after)) {
        nlohmann::ordered_json line = {{"status", word_of(layer.state)}, {"id", layer.id}};
        if (layer.total_bytes != 0 && layer.state != State::already_there) {
            line["progressDetail"] = {{"current", layer.bytes}, {"total", layer.total_bytes}};
        }
        lines.push_back(line.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace));
    }
    return lines;
}

std::string status_json(std::string const& status) {
    return nlohmann::json{{"status", status}}.dump(-1, ' ', false,
                                                   nlohmann::json::error_handler_t::replace);
}

std::unique_ptr<Progress> make_progress(ProgressMode mode, ProgressStreams streams) {
    if (mode == ProgressMode::automatic) {
        mode = screen_of(streams.live).has_value() ? ProgressMode::tty : ProgressMode::plain;
    }
    switch (mode) {
    case ProgressMode::tty:
        return std::make_unique<TerminalProgress>(streams.live);
    case ProgressMode::plain:
        return std::make_unique<PlainProgress>(streams.plain, &progress_events);
    case ProgressMode::json:
        return std::make_unique<PlainProgress>(streams.plain, &progress_json);
    case ProgressMode::automatic:
    case ProgressMode::none:
        break;
    }
    return std::make_unique<NoProgress>();
}

}  // namespace oblea::tools
