// SPDX-License-Identifier: MIT
// A command of the command line as data: its words, options, operands, help and handler.
//
// Parser, help, man pages and completion all read this one description, so none of them can be out
// of date. Options write into variables that the command's handler reads; whoever makes a Command
// keeps them alive in `run`.
#pragma once
#include "store/base/error.h"
#include "tools/mount/exit_code.h"

#include <functional>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace oblea::tools {

class Context;

struct Option {
    // Flags set a bool; others take a value: the last one given counts, a vector takes all.
    using Target = std::variant<bool*, unsigned*, std::string*, std::optional<std::string>*,
                                std::vector<std::string>*>;
    std::string names;       // "-q,--quiet", "--name"
    std::string value_name;  // "NAME"; empty for flags
    std::string help;        // one sentence without full stop
    Target target;
    std::vector<std::string> choices = {};  // all values there are; empty: any
    // The key in oblea.toml ("mount.verify") and, as OBLEA_MOUNT_VERIFY, in the environment; empty:
    // the command line alone sets it. Options of several commands may share one.
    std::string config = {};
    // For a vector of NAME=VALUE, which is a table in oblea.toml: the names there are.
    std::vector<std::string> fields = {};

    [[nodiscard]] std::vector<std::string> all_names() const;
    [[nodiscard]] bool takes_value() const { return !std::holds_alternative<bool*>(target); }
};

struct Operand {
    using Target =
        std::variant<std::string*, std::optional<std::string>*, std::vector<std::string>*>;
    std::string name;  // "IMAGE"
    std::string help;
    // string: exactly one; optional: none or one; vector: the rest, at least `least`. Only the last
    // operand may be a vector.
    Target target;
    std::size_t least = 1;

    [[nodiscard]] std::string usage() const;  // "IMAGE", "[NAME]", "NAME...", "[COMMAND...]"
};

struct Example {
    std::string command;
    std::string meaning;
};

struct Command {
    enum class Section { images, mounts, containers, store, about };
    // Where options may stand: a command that runs another one leaves its options alone.
    enum class OptionsEnd { anywhere, first_operand };

    std::string name;                  // "images"
    std::vector<std::string> aliases;  // "image ls", "load"
    Section section = Section::about;
    std::string summary;      // one line without full stop
    std::string description;  // paragraphs, separated by empty lines
    std::vector<Operand> operands;
    std::vector<Option> options;
    std::vector<Example> examples;
    OptionsEnd options_end = OptionsEnd::anywhere;
    int failure_exit = exit_code::kFailure;
    int usage_exit = exit_code::kUsage;
    // The exit status, or the error to print.
    std::function<Result<int>(Context&)> run;

    [[nodiscard]] std::string usage() const;  // "oblea images [OPTIONS] [NAME]"
};

}  // namespace oblea::tools
