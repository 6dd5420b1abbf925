// SPDX-License-Identifier: MIT
// From the words of the command line to a command with its options filled in.
//
// Pure but for the variables that options name and the settings. Errors are EINVAL with a message
// for people; what they say of usage ends with where the help is.
#pragma once
#include "tools/cli/command.h"
#include "tools/cli/settings.h"

#include <span>
#include <string>
#include <vector>

namespace oblea::tools {

using CommandTable = std::vector<Command>;

// The command that `name` names ("images", "image ls", "load"), or null.
[[nodiscard]] Command const* find_command(CommandTable const& table, std::string_view name);

// Every word that names a command, groups included ("images", "image ls", "image").
[[nodiscard]] std::vector<std::string> command_names(CommandTable const& table);

// The commands of a group: for "image" those with a name or alias "image X".
[[nodiscard]] std::vector<Command const*> group_commands(CommandTable const& table,
                                                         std::string_view group);

struct CommandLine {
    Command const* command = nullptr;    // null: none was named
    std::string group;                   // named alone ("oblea image"), without a command
    std::vector<std::string> arguments;  // without the command's words, global options first
};

// Finds the command's words, which may be two, behind global options. Errors: no such command,
// with the nearest one.
Result<CommandLine> find_command_words(CommandTable const& table,
                                       std::vector<Option> const& globals,
                                       std::span<std::string const> words);

enum class Outcome { run, show_help };

// Parses `arguments` into the variables of the command's options and operands and of `globals`.
// With --help among them nothing else needs to be right. Options that are not among them are as
// `settings` has them; what is given is noted there. Errors name the command, or where the setting
// comes from.
Result<Outcome> parse_arguments(Command const& command, std::vector<Option> const& globals,
                                std::vector<std::string> arguments, Settings& settings);

}  // namespace oblea::tools
