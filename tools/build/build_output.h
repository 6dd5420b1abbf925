// SPDX-License-Identifier: MIT
// What a build says: docker's classic lines, plain lines with their stage, or JSON.
//
// Stages that are built side by side do not mix in classic output: each waits in memory until those
// before it have ended. Used by one thread.
#pragma once
#include "tools/build/events.h"

#include <cstdio>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace oblea::tools::build {

struct StageTitle {
    std::string name;  // "build", or its number
};

class BuildOutput {
public:
    BuildOutput() = default;
    BuildOutput(BuildOutput const&) = delete;
    BuildOutput& operator=(BuildOutput const&) = delete;
    virtual ~BuildOutput() = default;

    // `stage` is a position in the plan. Global ARGs are of no stage.
    virtual void argument(std::size_t step, std::string const& text) = 0;
    virtual void event(std::size_t stage, Event const& event) = 0;
    virtual void output(std::size_t stage, std::string_view bytes) = 0;
    // The stage says nothing any more.
    virtual void ended(std::size_t stage) = 0;
    // "Successfully built ...": of the build as a whole.
    virtual void line(std::string const& text) = 0;
};

enum class OutputMode { classic, plain, json, terminal, quiet };

struct OutputFacts {
    std::size_t steps = 0;
    std::vector<StageTitle> stages;
    std::FILE* stream = stdout;
};
std::unique_ptr<BuildOutput> make_output(OutputMode mode, OutputFacts facts);

// What the classic output says of an event; empty: nothing. Pure.
std::string classic_line(Event const& event, std::size_t steps);

}  // namespace oblea::tools::build
