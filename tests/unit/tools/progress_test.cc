// SPDX-License-Identifier: MIT
#include "tools/output/progress.h"

#include "tests/support/catch.h"
#include "tools/output/plain_text.h"

#include <cstdlib>

using namespace oblea::tools;
using oblea::store::ImportProgress;
using State = ImportProgress::State;
using Lines = std::vector<std::string>;

namespace {

ImportProgress::Layer reading(std::uint64_t bytes, std::uint64_t total) {
    return {.id = "e756f3fdd6a3", .state = State::reading, .bytes = bytes, .total_bytes = total};
}

// What a Progress writes to a stream that is no terminal.
class Captured {
public:
    Captured() : stream_(::open_memstream(&text_, &size_)) {}
    ~Captured() {
        std::fclose(stream_);
        std::free(text_);
    }
    Captured(Captured const&) = delete;
    Captured& operator=(Captured const&) = delete;
    std::FILE* stream() { return stream_; }
    std::string text() {
        std::fflush(stream_);
        return {text_, size_};
    }

private:
    char* text_ = nullptr;
    std::size_t size_ = 0;
    std::FILE* stream_;
};

}  // namespace

TEST_CASE("a layer's line has a bar, bytes, rate and time left", "[tools][progress]") {
    CHECK(progress_line(reading(25'000'000, 100'000'000), 5e6, 70) ==
          "e756f3fdd6a3  [=======>                     ]  25MB/100MB  5MB/s  0:15");
}

TEST_CASE("a layer's line never passes the width", "[tools][progress]") {
    auto const columns = GENERATE(20U, 30U, 45U, 51U, 60U, 80U, 200U);
    auto const total = GENERATE(0U, 100U, 4'000'000'000U);
    CAPTURE(columns, total);
    auto const line = progress_line(reading(total / 3, total), 123456, columns);
    CHECK(display_width(line) <= columns);
    CHECK(display_width(line) <= 12 + 2 + 52 + 2 + 40);
}

TEST_CASE("more bytes than announced do not break the bar", "[tools][progress]") {
    CHECK(progress_line(reading(300, 100), 0, 50) ==
          "e756f3fdd6a3  [=======================]  300B/100B");
}

TEST_CASE("waiting and finished layers say so", "[tools][progress]") {
    ImportProgress::Layer layer{.id = "a", .state = State::waiting};
    CHECK(progress_line(layer, 0, 80) == "a             waiting");
    layer.state = State::already_there;
    CHECK(progress_line(layer, 0, 80) == "a             already there");
}

TEST_CASE("more layers than rows are counted in one line", "[tools][progress]") {
    ImportProgress progress;
    progress.layers.assign(30, {.id = "w", .state = State::waiting});
    progress.layers[3] = reading(1, 2);
    progress.layers[4].state = State::done;
    auto const lines = progress_block(progress, {}, {.columns = 80, .rows = 10});
    REQUIRE(lines.size() == 3);
    CHECK(lines[1] == "30 layers: 1 done, 0 already there, 28 waiting");
    progress.layers.assign(30, reading(1, 2));
    CHECK(progress_block(progress, {}, {.columns = 80, .rows = 10}).size() == 9);
}

TEST_CASE("several layers have a line for the total", "[tools][progress]") {
    ImportProgress progress;
    progress.layers = {reading(10'000'000, 30'000'000),
                       reading(0, 50'000'000),
                       {.id = "b", .state = State::already_there, .total_bytes = 77},
                       {.id = "c", .state = State::done, .total_bytes = 20'000'000}};
    auto const lines =
        progress_block(progress, {.layers = {}, .total = 7e6}, {.columns = 81, .rows = 24});
    REQUIRE(lines.size() == 5);
    CHECK(lines.back() == progress_line({.id = "total",
                                         .state = State::reading,
                                         .bytes = 30'000'000,
                                         .total_bytes = 100'000'000},
                                        7e6, 80));
    CHECK(lines.back().ends_with("30MB/100MB  7MB/s  0:10"));
    SECTION("which foretells no end that is not known") {
        progress.layers.push_back({.id = "d", .state = State::waiting});
        CHECK(total_of(progress).total_bytes == 0);
    }
    SECTION("but not where one is to come") {
        progress.layers = {reading(1, 2), {.id = "b", .state = State::already_there}};
        CHECK(progress_block(progress, {}, {.columns = 80, .rows = 24}).size() == 2);
    }
}

TEST_CASE("JSON has one object for each event", "[tools][progress]") {
    ImportProgress after;
    after.layers = {reading(7, 58), {.id = "b\n", .state = State::already_there}};
    CHECK(
        progress_json({}, after) ==
        Lines{
            R"({"status":"reading","id":"e756f3fdd6a3","progressDetail":{"current":7,"total":58}})",
            R"({"status":"already there","id":"b\n"})"});
    CHECK(progress_json(after, after).empty());
}

TEST_CASE("a log gets a line when a layer begins and one when it ends", "[tools][progress]") {
    ImportProgress before;
    ImportProgress after;
    after.layers = {reading(0, 58'400'000), {.id = "b", .state = State::waiting}};
    CHECK(progress_events(before, after) == Lines{"e756f3fdd6a3: reading 58.4MB"});
    before = after;
    after.layers[0].bytes = 1000;
    CHECK(progress_events(before, after).empty());
    after.layers[0] = {.id = "e756f3fdd6a3", .state = State::done, .bytes = 58'400'000};
    after.layers[1].state = State::already_there;
    CHECK(progress_events(before, after) ==
          Lines{"e756f3fdd6a3: done, 58.4MB", "b: already there"});
}

TEST_CASE("rates follow what is measured and fade", "[tools][progress]") {
    RateMeter meter;
    meter.add(10, 0);
    CHECK(meter.bytes_per_second() == 0);
    meter.add(11, 1000);
    CHECK(meter.bytes_per_second() == 1000);
    meter.add(12, 1000);
    CHECK(meter.bytes_per_second() < 1000);
    CHECK(meter.bytes_per_second() > 100);
    meter.add(60, 1000);
    CHECK(meter.bytes_per_second() < 1);
}

TEST_CASE("live lines are redrawn in place and taken away at the end", "[tools][progress]") {
    Captured out;
    Captured plain;
    ImportProgress progress;
    progress.layers = {{.id = "a", .state = State::waiting}, {.id = "b", .state = State::waiting}};
    {
        auto const shown =
            make_progress(ProgressMode::tty, {.live = out.stream(), .plain = plain.stream()});
        shown->update(progress, {});
        CHECK(out.text() == "\r\x1b[2Ka             waiting\n\r\x1b[2Kb             waiting\n"
                            "\r\x1b[2Ktotal         0B\n\x1b[J");
        shown->update(progress, {});
        CHECK_THAT(out.text(), Catch::Matchers::Contains("\x1b[3A\r\x1b[2Ka"));
    }
    CHECK_THAT(out.text(), Catch::Matchers::EndsWith("\x1b[3A\r\x1b[J"));
}

TEST_CASE("what is no terminal gets plain lines, none gets nothing", "[tools][progress]") {
    ImportProgress progress;
    progress.layers = {reading(0, 10)};
    Captured live;
    Captured plain;
    ProgressStreams const streams{.live = live.stream(), .plain = plain.stream()};
    make_progress(ProgressMode::automatic, streams)->update(progress, {});
    CHECK(live.text().empty());
    CHECK(plain.text() == "e756f3fdd6a3: reading 10B\n");
    make_progress(ProgressMode::none, streams)->update(progress, {});
    CHECK(live.text().empty());
    CHECK(plain.text() == "e756f3fdd6a3: reading 10B\n");
}
