// SPDX-License-Identifier: MIT
// What every command's handler gets: global options and standard streams.
//
// Used by one thread; messages (error, warning, note) may come from any.
#pragma once
#include "tools/cli/command.h"
#include "tools/cli/settings.h"

#include <cstdio>
#include <string>
#include <string_view>
#include <vector>

namespace oblea::tools {

struct GlobalOptions {
    std::optional<std::string> root;
    std::vector<std::string> stores;  // shared ones
    std::vector<std::string> limits;  // of layers that come in: NAME=NUMBER
    std::string log_level = "warning";
    unsigned jobs = 0;  // 0: one for each processor
    bool json = false;  // messages as JSON, for programs
    bool help = false;
};

// The options that every command takes, before or after its name.
std::vector<Option> global_options(GlobalOptions& target);

struct Streams {
    std::FILE* in = stdin;
    std::FILE* out = stdout;
    std::FILE* err = stderr;
};

[[nodiscard]] bool is_terminal(std::FILE* stream);

class Context {
public:
    explicit Context(Streams streams) : streams_(streams) {}

    GlobalOptions globals;
    Settings settings;  // of all commands, with where they come from

    [[nodiscard]] Streams const& streams() const { return streams_; }

    // Results, to standard output; print() adds nothing, line() a line break.
    void print(std::string_view text) const;
    void line(std::string_view text) const;

    // Messages of one line, to standard error after "oblea: ", or with --json as an object with
    // level, message and, of an Error, code ("ENOENT"). Warnings and notes depend on --log-level.
    void error(std::string_view message) const;
    void error(Error const& error) const;
    void warning(std::string_view message) const;
    void note(std::string_view message) const;

private:
    void write_message(std::string_view level, std::string_view message,
                       std::optional<Errno> code) const;

    Streams streams_;
};

}  // namespace oblea::tools
