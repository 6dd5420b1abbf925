// SPDX-License-Identifier: MIT
#include "tools/build/build_output.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <chrono>
#include <map>

namespace oblea::tools::build {
namespace {

using Clock = std::chrono::steady_clock;
using nlohmann::json;

void write(std::FILE* stream, std::string_view bytes) {
    std::fwrite(bytes.data(), 1, bytes.size(), stream);
    std::fflush(stream);
}

class Classic : public BuildOutput {
public:
    explicit Classic(OutputFacts facts) : facts_(std::move(facts)) {
        waiting_.resize(facts_.stages.size());
        ended_.resize(facts_.stages.size(), false);
    }

    void argument(std::size_t step, std::string const& text) override {
        write(facts_.stream, fmt::format("Step {}/{} : {}\n", step, facts_.steps, text));
    }
    void event(std::size_t stage, Event const& event) override { say(stage, line_of(event)); }
    void output(std::size_t stage, std::string_view bytes) override { say(stage, bytes); }
    void ended(std::size_t stage) override {
        ended_[stage] = true;
        while (shown_ < ended_.size() && ended_[shown_]) {
            ++shown_;
            if (shown_ < waiting_.size()) {
                write(facts_.stream, waiting_[shown_]);
                waiting_[shown_].clear();
            }
        }
    }
    void line(std::string const& text) override { write(facts_.stream, text + '\n'); }

protected:
    [[nodiscard]] virtual std::string line_of(Event const& event) const {
        return classic_line(event, facts_.steps);
    }
    OutputFacts facts_;

private:
    void say(std::size_t stage, std::string_view text) {
        if (stage <= shown_) {
            write(facts_.stream, text);
        } else {
            waiting_[stage] += text;
        }
    }
    std::vector<std::string> waiting_;
    std::vector<bool> ended_;
    std::size_t shown_ = 0;  // the first stage that may still say something
};

// Everything at once, each line with its stage.
class Plain final : public BuildOutput {
public:
    explicit Plain(OutputFacts facts) : facts_(std::move(facts)) {
        rest_.resize(facts_.stages.size());
        step_.resize(facts_.stages.size(), 0);
    }

    void argument(std::size_t step, std::string const& text) override {
        write(facts_.stream, fmt::format("[{}/{}] {}\n", step, facts_.steps, text));
    }
    void event(std::size_t stage, Event const& event) override {
        flush(stage);
        if (event.kind == Event::Kind::step) {
            step_[stage] = event.step;
            begun_[stage] = Clock::now();
            say(stage, event.text);
        } else if (event.kind == Event::Kind::image) {
            double const seconds =
                std::chrono::duration<double>(Clock::now() - begun_[stage]).count();
            say(stage, fmt::format("done {} {:.1f}s", event.text, seconds));
        } else if (event.kind == Event::Kind::cached) {
            say(stage, "cached");
        } else if (event.kind == Event::Kind::note) {
            say(stage, event.text);
        }
    }
    void output(std::size_t stage, std::string_view bytes) override {
        rest_[stage] += bytes;
        for (auto end = rest_[stage].find('\n'); end != std::string::npos;
             end = rest_[stage].find('\n')) {
            say(stage, "| " + rest_[stage].substr(0, end));
            rest_[stage].erase(0, end + 1);
        }
    }
    void ended(std::size_t stage) override { flush(stage); }
    void line(std::string const& text) override { write(facts_.stream, text + '\n'); }

private:
    void flush(std::size_t stage) {
        if (!rest_[stage].empty()) {
            say(stage, "| " + std::exchange(rest_[stage], {}));
        }
    }
    void say(std::size_t stage, std::string const& text) {
        write(facts_.stream, fmt::format("[{} {}/{}] {}\n", facts_.stages[stage].name, step_[stage],
                                         facts_.steps, text));
    }

    OutputFacts facts_;
    std::vector<std::string> rest_;
    std::vector<std::size_t> step_;
    std::map<std::size_t, Clock::time_point> begun_;
};

// One object a line.
class JsonLines final : public BuildOutput {
public:
    explicit JsonLines(OutputFacts facts) : facts_(std::move(facts)) {}

    void argument(std::size_t step, std::string const& text) override {
        say({{"event", "step"}, {"step", step}, {"steps", facts_.steps}, {"text", text}});
    }
    void event(std::size_t stage, Event const& event) override {
        json object = {{"event", kind_name(event.kind)}, {"stage", facts_.stages[stage].name}};
        if (event.kind == Event::Kind::step) {
            object["step"] = event.step;
            object["steps"] = facts_.steps;
        }
        if (!event.text.empty()) {
            object["text"] = event.text;
        }
        if (event.code != 0) {
            object["code"] = event.code;
        }
        say(std::move(object));
    }
    void output(std::size_t stage, std::string_view bytes) override {
        say({{"event", "output"}, {"stage", facts_.stages[stage].name}, {"text", bytes}});
    }
    void ended(std::size_t /*stage*/) override {}
    void line(std::string const& text) override { say({{"event", "result"}, {"text", text}}); }

private:
    void say(json const& object) {
        write(facts_.stream, object.dump(-1, ' ', false, json::error_handler_t::replace) + '\n');
    }
    OutputFacts facts_;
};

// The classic lines with the steps in bold.
class Terminal final : public Classic {
public:
    using Classic::Classic;

protected:
    [[nodiscard]] std::string line_of(Event const& event) const override {
        std::string const line = Classic::line_of(event);
        return event.kind == Event::Kind::step
                   ? fmt::format("\x1b[1m{}\x1b[0m\n", line.substr(0, line.size() - 1))
                   : line;
    }
};

// Nothing, until a stage fails: then what it has printed.
class Quiet final : public BuildOutput {
public:
    explicit Quiet(OutputFacts facts) : facts_(std::move(facts)) {
        printed_.resize(facts_.stages.size());
    }
    void argument(std::size_t /*step*/, std::string const& /*text*/) override {}
    void event(std::size_t stage, Event const& event) override {
        if (event.kind == Event::Kind::step) {
            printed_[stage].clear();
        } else if (event.kind == Event::Kind::failed) {
            write(stderr, printed_[stage]);
        }
    }
    void output(std::size_t stage, std::string_view bytes) override { printed_[stage] += bytes; }
    void ended(std::size_t /*stage*/) override {}
    void line(std::string const& text) override { write(facts_.stream, text + '\n'); }

private:
    OutputFacts facts_;
    std::vector<std::string> printed_;
};

}  // namespace

std::string classic_line(Event const& event, std::size_t steps) {
    switch (event.kind) {
    case Event::Kind::step:
        return fmt::format("Step {}/{} : {}\n", event.step, steps, event.text);
    case Event::Kind::image:
        return fmt::format(" ---> {}\n", event.text);
    case Event::Kind::cached:
        return " ---> Using cache\n";
    case Event::Kind::running:
        return fmt::format(" ---> Running in {}\n", event.text);
    case Event::Kind::removed:
        return fmt::format("Removing intermediate container {}\n", event.text);
    case Event::Kind::note:
        return event.text + '\n';
    case Event::Kind::done:
    case Event::Kind::failed:
        break;
    }
    return {};
}

std::unique_ptr<BuildOutput> make_output(OutputMode mode, OutputFacts facts) {
    switch (mode) {
    case OutputMode::plain:
        return std::make_unique<Plain>(std::move(facts));
    case OutputMode::json:
        return std::make_unique<JsonLines>(std::move(facts));
    case OutputMode::terminal:
        return std::make_unique<Terminal>(std::move(facts));
    case OutputMode::quiet:
        return std::make_unique<Quiet>(std::move(facts));
    case OutputMode::classic:
        break;
    }
    return std::make_unique<Classic>(std::move(facts));
}

}  // namespace oblea::tools::build
