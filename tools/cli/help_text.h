// SPDX-License-Identifier: MIT
// The command table as help texts, man pages and shell completion. Pure.
#pragma once
#include "tools/cli/command_line.h"

#include <string>
#include <vector>

namespace oblea::tools {

// What `oblea help` prints: the commands, by section, and the global options.
[[nodiscard]] std::string overview_text(CommandTable const& table,
                                        std::vector<Option> const& globals);

// What `oblea help COMMAND` and `oblea COMMAND --help` print.
[[nodiscard]] std::string command_text(Command const& command, std::vector<Option> const& globals);

// What `oblea image` prints.
[[nodiscard]] std::string group_text(CommandTable const& table, std::string_view group);

// Man pages in troff (man(7)): oblea(1), and oblea-COMMAND(1).
[[nodiscard]] std::string overview_man_page(CommandTable const& table,
                                            std::vector<Option> const& globals);
[[nodiscard]] std::string command_man_page(Command const& command,
                                           std::vector<Option> const& globals);

// Completion scripts: commands, their options, the values of options that have choices, and the
// names of images and containers.
[[nodiscard]] std::string bash_completion(CommandTable const& table,
                                          std::vector<Option> const& globals);
[[nodiscard]] std::string fish_completion(CommandTable const& table,
                                          std::vector<Option> const& globals);
[[nodiscard]] std::string zsh_completion(CommandTable const& table,
                                         std::vector<Option> const& globals);

}  // namespace oblea::tools
